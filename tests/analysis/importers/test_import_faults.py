import pytest

from analysis.errors import ImportDataError
from analysis.flows.conn_log import conn_log_lines
from analysis.importers.activity_table import Recipe, load_activity_table
from analysis.importers.event_lists import read_events
from analysis.importers.pcap import import_pcap
from analysis.importers.trace_table import TraceRecipe
from analysis.importers.traces import import_traces

HEAD = "activity,session,time,size,direction\n"
ZERO_S = 1_700_000_000


@pytest.fixture
def faults_of_traces(tmp_path):
    """Import files of these texts, of which None is not there; return the faults."""

    def _faults(files, **recipe):
        paths = [tmp_path / name for name in files]
        for path, text in zip(paths, files.values(), strict=True):
            if text is not None:
                path.write_text(text)
        with pytest.raises(ImportDataError) as caught:
            import_traces(paths, target=tmp_path / "out", recipe=TraceRecipe(**recipe))
        return caught.value.faults

    return _faults


@pytest.fixture
def faults_of_pcap(tmp_path, record):
    """Import captures of a minute with these starts, in s; return the faults."""

    def _faults(starts_s, mac="02:00:00:00:00:11", **recipe):
        captures = [record("one.pcapng", [ZERO_S + t for t in range(60)])]
        table = tmp_path / "acts.csv"
        rows = "".join(f"lamp,turn_on,{ZERO_S + t},1 s\n" for t in starts_s)
        table.write_text("device,activity,start_epoch,delta\n" + rows)
        with pytest.raises(ImportDataError) as caught:
            import_pcap(
                captures,
                activities=table,
                devices={"lamp": mac},
                target=tmp_path / "out",
                recipe=Recipe(**recipe),
            )
        return caught.value.faults

    return _faults


def test_a_table_that_is_not_there_hides_no_fault_of_the_others(faults_of_traces):
    told = faults_of_traces(
        {
            "gone.csv": None,
            "bare.csv": "activity,session,time,size\na,s,0,60\n",
            "void.csv": "",
            "back.csv": HEAD + "a,s,0,60,up\n",
        }
    )
    assert len(told) == 4
    for fault, end in zip(
        told,
        ("is not there", "has no column 'direction'", "has no columns", "got 'up'"),
        strict=True,
    ):
        assert end in fault


def test_a_column_that_was_given_the_wrong_way_round_is_turned(
    faults_of_traces, faults_of_pcap
):
    (fault,) = faults_of_traces({"a.csv": HEAD}, columns={"length": "size"})
    assert "--column is OURS=THEIRS, did you mean size=length?" in fault
    assert any(
        "did you mean activity=command?" in fault
        for fault in faults_of_pcap([5], columns={"command": "activity"})
    )


def test_a_column_that_lacks_is_told_with_those_that_there_are(faults_of_traces):
    (fault,) = faults_of_traces(
        {"a.csv": HEAD.replace("size", "bytes") + "a,s,0,60,1\n"}
    )
    assert "has no column 'size'; add it, or name theirs with --column; it has" in fault
    assert fault.endswith("it has activity, session, time, bytes, direction")
    (fault,) = faults_of_traces({"a.csv": HEAD.replace("on\n", "ons\n")})
    assert fault.endswith("name theirs with --column; did you mean 'directions'?")


def test_a_column_without_a_name_is_told_as_such(faults_of_traces):
    header = "activity,session,,bytes,direction\n"
    (fault,) = faults_of_traces({"a.csv": header + "a,s,0,60,1\n"})
    assert fault.endswith(
        "it has activity, session, one without a name, bytes, direction"
    )
    (fault,) = faults_of_traces({"a.csv": "\n"})
    assert "it has ," not in fault


def test_several_columns_that_lack_are_one_sentence(faults_of_traces):
    told = faults_of_traces({"a.csv": "activity,session,t,b\na,s,0,60\n"})
    (fault,) = told
    assert "has no columns 'time', 'size', 'direction'; add it" in fault


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_columns_that_no_comma_separates_are_told(faults_of_traces, mark, name):
    (fault,) = faults_of_traces({"a.csv": HEAD.replace(",", mark)})
    assert fault.endswith(f"columns are separated by {name}; write commas instead")


def test_of_many_faulty_files_ten_are_told(faults_of_traces):
    told = faults_of_traces({f"{n}.csv": HEAD + "a,s,0,60,up\n" for n in range(30)})
    assert len(told) == 11
    assert told[-1] == "20 more files have faults; mend these first"


def test_faults_that_are_alike_are_told_by_five_and_others_beside_them(
    faults_of_traces,
):
    rows = "".join(f"a,s,{t},60,up\n" for t in range(40)) + "a,s,41,none,1\n"
    told = faults_of_traces({"a.csv": HEAD + rows})
    assert sum("direction: must be" in fault for fault in told) == 5
    assert any(
        fault.endswith("line 42: size: must be a whole number of bytes, got 'none'")
        for fault in told
    )
    assert told[-1].endswith("direction: 35 more rows with a fault; mend these first")


def test_activities_outside_of_the_captures_are_one_sentence_of_five_examples(
    faults_of_pcap,
):
    (fault,) = faults_of_pcap([5, *range(1000, 1040)])
    assert "40 of 41 activities lie in no capture" in fault
    assert fault.count("from the start of one.pcapng") == 5
    assert "line 3 is +1000.0 s" in fault


def test_a_wrong_mac_is_one_sentence_beside_them(faults_of_pcap):
    outside, unseen = faults_of_pcap([5, *range(1000, 1040)], mac="02:00:00:00:00:99")
    assert "40 of 41" in outside
    assert "no capture holds a packet of 02:00:00:00:00:99; the most seen are" in unseen
    assert "\n" not in unseen


@pytest.mark.parametrize("trace", ["Trace", " TRACE ", "tr-ace", "\u200btrace"])
def test_a_column_that_is_written_otherwise_is_told_and_not_passed_over(
    faults_of_traces, trace
):
    text = HEAD.strip() + f",{trace}\na,s,0,60,1,1\na,s,1,60,1,2\n"
    (told,) = faults_of_traces({"all.csv": text})
    assert f"line 1: {trace.strip()!r} is not taken; did you mean 'trace'?" in told
    assert trace.isprintable() == ("or say --column trace=" in told)


def test_columns_that_are_needed_are_found_in_any_case(faults_of_traces):
    (told,) = faults_of_traces(
        {"all.csv": "\ufeffActivity, SESSION ,time,size,direction\na,s,0,60,1\n"}
    )
    assert told.endswith("did you mean 'Activity', 'SESSION'?")


def test_what_is_named_by_an_option_is_no_misspelling(tmp_path):
    path = tmp_path / "all.csv"
    path.write_text(HEAD.strip() + ",Trace,Day\na,s,0,60,1,1,2\na,s,0,60,1,2,2\n")
    recipe = TraceRecipe(columns={"trace": "Trace"}, constants={"day": "1"})
    done = import_traces([path], target=tmp_path / "out", recipe=recipe)
    assert done.n_packets == 2


def test_a_table_of_activities_is_read_with_blanks_and_told_by_its_letters(tmp_path):
    path = tmp_path / "acts.csv"
    recipe = Recipe()
    path.write_text(
        f"\ufeffdevice, activity,start_epoch ,delta\nlamp,on,{ZERO_S},1 s\n"
    )
    table = load_activity_table(path, ["lamp"], recipe)
    assert [row.activity for row in table.rows] == ["on"]
    path.write_text("device,activity,Start,delta,Trial\nlamp,on,7,1 s,1\n")
    with pytest.raises(ImportDataError) as caught:
        load_activity_table(path, ["lamp"], recipe)
    told = "\n".join(caught.value.faults)
    assert "'Start' is not taken; did you mean 'start'? rename it, or say" in told
    assert "'Trial' is not taken; did you mean 'trial'?" in told


def test_a_list_of_events_says_how_its_columns_must_be_written(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("Device,activity,START_NS\nlamp,on,7\n")
    with pytest.raises(ImportDataError) as caught:
        read_events(path)
    assert [fault.partition(": line 1: ")[2] for fault in caught.value.faults] == [
        "'Device' is not taken; did you mean 'device'? rename it",
        "'START_NS' is not taken; did you mean 'start_ns'? rename it",
    ]
    rows = f"lamp,on,{ZERO_S}000000000\n"
    path.write_text(f"\ufeff device ,activity, start_ns\n{rows}")
    assert len(read_events(path)) == 1


def test_a_mark_before_the_first_line_of_a_conn_log_is_no_record(tmp_path):
    path = tmp_path / "conn.log"
    path.write_text("\ufeff#separator \\x09\n#fields\tts\tproto\n7.0\ttcp\n")
    assert list(conn_log_lines(path)) == [(3, {"ts": "7.0", "proto": "tcp"})]
