"""Faults of a table of traces are told in sentences, all of them at once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.dataset import load_activities
from analysis.errors import ImportDataError
from analysis.importers.trace_rows import Packets
from analysis.importers.trace_table import Trace
from analysis.importers.traces import _placed, import_traces
from tests.analysis.importers.traced import HEAD, ON, faults_of


def test_all_faults_of_all_files_come_at_once_and_nothing_is_kept(bring, tmp_path):
    faults = faults_of(
        bring,
        files={
            "back.csv": "time,size,direction\n0,60,1\n2,60,1\n1,60,1\n0.5,60,1\n",
            "nan.csv": "time,size,direction\nnan,60,1\n1,inf,1\n2,60,sideways\n,,\n",
            "bare.csv": "time,size\n0,60\n",
            "none.csv": "time,size,direction\n",
            "huge.csv": "time,size,direction\n0,70000,1\n1,60.5,1\n2,-3,1\n",
            "late.csv": "time,size,direction\n0,60,1\n1e999999999,60,1\n90000,60,1\n",
            "long.csv": "time,size,direction\n0,60,1\n90000,60,1\n",
            "void.csv": "",
            "noise.csv": bytes(range(128, 256)),
        },
        labels="file,activity,session,channel\n"
        "back.csv,a,s,\nnan.csv,a,s,\nbare.csv,a,s,\nnone.csv,a,s,\nhuge.csv,a,s,\n"
        "late.csv,a,s,\nlong.csv,a,s,\nlogn.csv,a,s,\nback.csv,a,s,\n,a,s,\n"
        "void.csv,,s,\nnoise.csv,idle,s,telepathy\nnoise.csv,a,s,\nvoid.csv,a,s,\n",
    )
    told = "\n".join(faults)
    for sentence in (
        "back.csv: line 4: time: goes back by 1 s, and so do 1 later rows; one trace",
        "nan.csv: line 2: time: must be a number of seconds, got 'nan'",
        "nan.csv: line 3: size: must be a whole number of bytes, got 'inf'",
        "nan.csv: line 4: direction: must be +1 or out, -1 or in, got 'sideways'",
        "nan.csv: line 5: time: is empty",
        "nan.csv: line 5: direction: is empty",
        "bare.csv: line 1: has no column 'direction'; add it, or name theirs",
        "none.csv: holds no packet; leave its row out of the labels",
        "huge.csv: line 2: size: must be a whole number of bytes, got '70000'",
        "huge.csv: line 3: size: must be a whole number of bytes, got '60.5'",
        "huge.csv: line 4: size: must be a whole number of bytes, got '-3'",
        "late.csv: line 3: time: is too large for seconds; is it in another unit?",
        "long.csv: line 3: time: the trace would last 90000 s, more than a day",
        "labels.csv: line 9: file: no file that was given is called 'logn.csv'; "
        "did you mean 'long.csv'?",
        "labels.csv: line 10: file: 'back.csv' is that of line 2 already",
        "labels.csv: line 11: file: is empty",
        "labels.csv: line 12: activity: is empty",
        "labels.csv: line 13: activity: 'idle' is what windows without",
        "labels.csv: line 13: channel: must be one of phone, voice, power, api",
        "void.csv: line 1: has no columns",
        "noise.csv: is not a CSV file in UTF-8",
    ):
        assert sentence in told, sentence
    assert sorted(p.name for p in tmp_path.iterdir()) == ["labels.csv", "theirs"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("time,size,direction\n0,60,1\n", "no columns 'activity', 'session'; add it"),
        (HEAD, "all.csv: holds no packet"),
        (HEAD + "a,s,0,13,1\n", "no frame has 13 bytes; are these sizes of frames?"),
        (HEAD + "a,s,1,60,1\na,s,0,60,1\n", "tell traces apart, or give --sort"),
        (HEAD + "a,,0,60,1\n", "session: is empty"),
        (HEAD + "unknown,s,0,60,1\n", "'unknown' is what windows without"),
        (HEAD + "a,s,0\n", "line 2: size: is empty"),
        (HEAD.replace("size", "time"), "has two columns 'time'; rename one of them"),
        (HEAD.replace("session", "trace,session") + "a,,s,0,60,1\n", "trace: is empty"),
        ("a\0b," + HEAD, "holds no packet"),
    ],
)
def test_a_faulty_table_is_refused_in_a_sentence(bring, text, sentence):
    faults = faults_of(bring, text)
    assert any(sentence in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("more", "row", "sentence"),
    [
        ("protocol", "a,s,0,60,1,quic", "protocol: must be tcp, udp, icmp, none"),
        ("protocol", "a,s,0,60,1,256", "protocol: must be tcp, udp, icmp, none"),
        ("port", "a,s,0,60,1,65536", "port: must be between 0 and 65535, got '65536'"),
        ("remote", "a,s,0,60,1,cloud", "remote: must be an IP address, got 'cloud'"),
        ("network", "a,s,0,60,1,5g", "network: must be one of lan, wan, got '5g'"),
    ],
)
def test_a_faulty_optional_column_is_refused_too(bring, more, row, sentence):
    faults = faults_of(bring, HEAD.strip() + f",{more}\n{row}\n")
    assert any(sentence in fault for fault in faults), faults


@pytest.mark.parametrize("time", ["9999999999", "-9000000000", "4000000001", "1e40"])
def test_a_time_beyond_all_clocks_is_refused_in_a_sentence(bring, time):
    (fault,) = faults_of(bring, HEAD + f"a,s,0,60,1\na,s,{time},60,1\n")
    assert (
        f"line 3: time: is too large for seconds; is it in another unit?, got '{time}'"
        in fault
    )


def test_the_farthest_times_are_told_by_how_long_the_trace_would_last(bring):
    (fault,) = faults_of(bring, HEAD + "a,s,-4e9,60,1\na,s,4e9,60,1\n")
    assert "the trace would last 8e+09 s, more than a day" in fault


HOSTILE = "\x1b]0;pwn\x07\x1b[2J"


@pytest.mark.parametrize("row", [f"{HOSTILE},s", f"a,{HOSTILE}", "a,s\x9b2J"])
def test_a_name_that_could_act_on_a_terminal_is_refused_without_acting(bring, row):
    (fault,) = faults_of(bring, HEAD + f"{row},0,60,1\n")
    assert "line 2: " in fault
    assert "holds characters that cannot be printed, got '" in fault
    assert fault.isprintable()


def test_a_file_whose_name_could_act_on_a_terminal_is_refused(bring):
    files = {f"{HOSTILE}.csv": HEAD + ON, "good.csv": HEAD + ON}
    (fault,) = faults_of(bring, files=files)
    assert "cannot be printed; rename it" in fault
    assert fault.isprintable()


def test_sessions_that_do_not_fit_into_their_day_are_refused(bring):
    head = HEAD.replace("session", "trace,session,day")
    rows = "".join(
        f"a,{day}{k}{half},{day}{k},{day},0,60,1\na,{day}{k}{half},{day}{k},{day},50400,60,1\n"
        for day in ("mon", "tue")
        for k in range(3)
        for half in ("a", "b")
    )
    faults = faults_of(bring, head + rows)
    assert len(faults) == 2
    assert (
        "line 6: day: the sessions before 'mon1' fill the 24 h of day 'mon'"
        in faults[0]
    )
    assert "'tue1'" in faults[1]


def test_more_sessions_than_there_are_days_are_refused():
    packets = Packets(
        time_ns=np.zeros(1, np.int64),
        length_b=np.full(1, 60),
        outbound=np.ones(1, np.bool_),
        protocol=np.full(1, -1, np.int16),
        port=np.zeros(1, np.int32),
        remote=("",),
    )
    traces = [
        Trace(
            path=Path("t"),
            line=1,
            packets=packets,
            texts={"session": str(k), "day": ""},
        )
        for k in range(96_000)
    ]
    with pytest.raises(
        ImportDataError, match="would last beyond the year 2262; say in"
    ):
        _placed(traces)
    shared = [
        replace(t, texts={**t.texts, "day": t.texts["session"][:3]})
        for t in traces[:5000]
    ]
    assert len(_placed(shared)) == 5000


def test_names_that_contradict_each_other_are_told(bring):
    head = HEAD.replace("activity", "trace,trial,day,activity")
    rows = (
        "t1,x,d,on,s,0,60,1\nt1,x,d,off,s,1,60,1\nt2,x,e,on,s,0,60,1\n"
        "t3,,e,b,s2,0,60,1\n"
    )
    told = "\n".join(faults_of(bring, head + rows))
    assert "line 3: trace: 't1' is called else in line 2" in told
    assert "line 4: trial: 'x' is that of" in told
    assert "line 5: trial: is empty, in others it is not" in told
    assert "day: session 's' is of day 'd' already" in told


def test_what_is_not_there_or_has_the_wrong_name_is_told(bring, tmp_path):
    with pytest.raises(ImportDataError, match="is not there"):
        import_traces([tmp_path / "gone.csv"], target=tmp_path / "out")
    (tmp_path / "hollow").mkdir()
    with pytest.raises(ImportDataError, match="holds no file"):
        import_traces([tmp_path / "hollow"], target=tmp_path / "out")
    with pytest.raises(ImportDataError, match="exists; give another"):
        import_traces([tmp_path], target=tmp_path / "hollow")
    with pytest.raises(ImportDataError, match="device: must be letters"):
        import_traces([tmp_path], target=tmp_path / "out", device="../up")
    with pytest.raises(ImportDataError, match="no column is called 'tiem'"):
        bring(HEAD + ON, columns={"tiem": "t"})
    with pytest.raises(ImportDataError, match="can be given to 'size'"):
        bring(HEAD + ON, constants={"size": "60"})


def test_a_session_of_a_hostile_name_stays_inside_the_folder(bring, tmp_path):
    done = bring(HEAD + ON.replace("one", "../../etc/passwd"))
    raw = [path.name for path in (done.folder / "raw").glob("*.pcapng")]
    assert raw == ["etc_passwd-00000.pcapng"]
    assert load_activities(done.folder).frame["session"][0] == "../../etc/passwd"
