"""A table of traces becomes a campaign, and comes back as it was."""

import filecmp
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.dataset import Times, load_activities, load_campaign
from analysis.errors import DatasetError
from analysis.evaluate.samples import samples_of
from analysis.evaluate.study import parted
from analysis.evaluate.trust.canaries import canaries_of
from analysis.importers.trace_table import TraceRecipe
from analysis.importers.traces import import_traces
from analysis.packets import clean
from analysis.packets.table import Error
from analysis.windows import cut
from tests.analysis.importers.traced import HEAD, OFF, ON, packets_of, windows_of


def test_a_table_of_two_traces_becomes_a_campaign_of_two_windows(bring):
    done = bring(HEAD + ON + OFF)
    campaign = load_campaign(done.folder)
    assert (campaign.form, campaign.simulated) == ("imported", False)
    windows = windows_of(done)
    assert windows.activity.tolist() == ["turn_on", "turn_off"]
    assert windows.n_packets.tolist() == [2, 2]
    assert (windows.end_ns - windows.start_ns).tolist() == [570_059 + 1, 12_500_000_001]
    packets = packets_of(done)
    assert packets.length_b.tolist() == [190, 1514, 66, 54]
    assert packets.outbound.tolist() == [True, True, False, False]
    assert (done.n_sessions, done.n_packets) == (1, 4)
    assert not (done.folder / ".done.part").exists()


def test_sizes_of_ip_packets_have_the_header_of_the_frame_added(bring):
    done = bring(HEAD + ON, extra_b=14)
    assert packets_of(done).length_b.tolist() == [204, 1528]


def test_no_rule_of_cleaning_takes_a_made_up_frame_away(bring):
    rows = "".join(
        f"a,s,{t},{size},{way},{protocol},{remote},443\n"
        for t, (size, way, protocol, remote) in enumerate(
            (size, way, protocol, remote)
            for size in (14, 33, 34, 42, 53, 54, 55, 60, 61, 62, 74, 1514, 65549)
            for way in (1, -1)
            for protocol in ("", "tcp", "udp", "icmp", "none", "255")
            for remote in ("", "203.0.113.9", "2001:db8::9")
        )
    )
    done = bring("activity,session,time,size,direction,protocol,remote,port\n" + rows)
    packets = packets_of(done)
    assert len(packets) == 13 * 2 * 6 * 3
    assert not (packets.error & ~np.uint8(Error.CUT)).any()
    assert not packets.retransmission.any()
    rules = ("errors", "retransmissions", "out_of_order", "keep_alives")
    assert len(clean(packets, rules).table) == len(packets)
    assert {"203.0.113.9", "2001:db8::9"} <= set(packets.remotes)
    assert (packets.protocol == 0).sum() >= 13 * 2 * 3
    # over IPv6 there are 20 bytes less of room
    tcp = packets.protocol[packets.length_b == 60]
    assert (tcp == 6).sum() == 2 * 2


def test_a_made_up_frame_is_what_tshark_reads_too(bring, tshark_fields):
    table = HEAD.replace("direction", "direction,protocol,remote,port")
    done = bring(
        table
        + "a,s,0,74,1,tcp,203.0.113.9,443\na,s,0.25,54,-1,tcp,203.0.113.9,443\n"
        + "a,s,1,42,-1,udp,2001:db8::9,53\na,s,2,90,1,,,\n"
    )
    raw = next((done.folder / "raw").glob("*.pcapng"))
    rows = tshark_fields(raw, "frame.len", "ip.proto", "tcp.dstport", "udp.length")
    assert [row[0] for row in rows] == ["74", "54", "42", "90"]
    assert [row[1] for row in rows] == ["6", "6", "", "17"]
    assert (rows[0][2], rows[3][3]) == ("443", "56")


def test_traces_of_one_session_are_seconds_apart_and_sessions_a_day(bring):
    table = HEAD + ON + OFF + ON.replace("one", "two") + OFF.replace("one", "three")
    windows = windows_of(bring(table))
    gap_s = (windows.start_ns[1:] - windows.end_ns[:-1]) / 1e9
    assert gap_s[0] == pytest.approx(4, abs=1e-6)
    days = windows.start_ns // (86_400 * 10**9)
    assert (np.diff(days) == [0, 1, 1]).all()


def test_no_idle_window_has_room_between_traces(bring):
    done = bring(HEAD + "".join(ON.replace("one", "one").join(["", OFF]) * 9))
    log = load_activities(done.folder)
    rng = np.random.default_rng(0)
    windows = cut(packets_of(done), log, "plug", n_idle=50, rng=rng, widen=False)
    assert "idle" not in windows.activity


def test_sessions_that_name_the_same_day_share_it(bring):
    head = HEAD.replace("session", "session,day")
    rows = "a,{},{},0,60,1\na,{},{},1,60,1\n"
    parts = (("s1", "mon"), ("s2", "mon"), ("s3", "tue"))
    done = bring(head + "".join(rows.format(s, d, s, d) for s, d in parts))
    windows = windows_of(done)
    days = windows.start_ns // (86_400 * 10**9)
    assert np.diff(days).tolist() == [0, 1]
    assert windows.session.tolist() == ["s1", "s2", "s3"]


def test_names_come_from_labels_and_files_without_a_name_are_told(bring):
    packets = "time,size,direction\n5,60,1\n5.5,70,-1\n"
    done = bring(
        files={"a/x.csv": packets, "y.csv": packets, "z.csv": packets},
        labels="file,activity,session,repeat,unit,channel\n"
        "x.csv,on,s1,1,u1,phone\ny.csv,off,s1,2,u1,\n",
    )
    assert [path.name for path in done.unlabelled] == ["z.csv"]
    log = load_activities(done.folder).frame
    assert log["activity"].to_list() == ["on", "off"]
    assert log["parameters"].to_list() == ["repeat=1", "repeat=2"]
    assert log["channel"].to_list() == ["phone", ""]
    assert load_campaign(done.folder).devices[0].unit == "u1"


def test_a_trace_column_brings_rows_together_that_lie_apart(bring):
    head = HEAD.replace("activity", "trace,activity")
    rows = "t1,on,s,0,60,1\nt2,on,s,0,61,1\nt1,on,s,1,62,-1\nt2,on,s,1,63,-1\n"
    done = bring(head + rows)
    assert packets_of(done).length_b.tolist() == [60, 62, 61, 63]


def test_their_columns_and_constants_are_taken(bring):
    text = "label, t ,bytes,dir\non,1,60,1\non,2,61,-1\n"
    names = {"activity": "label", "time": "t", "size": "bytes", "direction": "dir"}
    done = bring(text, columns=names, constants={"session": "s", "user": "kim"})
    log = load_activities(done.folder).frame
    assert log["user"].to_list() == ["kim"]


def test_the_same_traces_give_the_same_bytes(bring, tmp_path):
    first, again = (bring(HEAD + ON + OFF, target=f"{n}/same") for n in ("one", "two"))
    files = sorted(p.relative_to(first.folder) for p in first.folder.rglob("*"))
    assert len(files) > 8
    for name in files:
        if (first.folder / name).is_dir() or name.name == "packets.json":
            continue  # packets.json holds when captures were written
        same = filecmp.cmp(first.folder / name, again.folder / name, shallow=False)
        assert same or name.name == "MANIFEST.sha256", name


def sessions(head, n, column):
    rows = ""
    for k in range(n):
        for j, activity in enumerate(("on", "off")):
            names = f"t{k}{j},{activity},s{k}{column.format(k // 2)}"
            rows += f"{names},0,{60 + 7 * k + j},1\n{names},{k + 1},{90 + k},-1\n"
    return head + rows


@pytest.mark.parametrize(
    ("column", "times", "refused"),
    [("", "invented", ["s2", "s3"]), (",day{}", "days", ["s2"])],
)
def test_splits_by_times_that_the_import_made_up_are_refused_in_words(
    bring, column, times, refused
):
    head = HEAD.replace("session", "session,day" if column else "session")
    done = bring("trace," + sessions(head, 4, column))
    assert load_campaign(done.folder).times == times
    made = samples_of(done.folder, "plug")
    splits, refusals = parted(made, ("s1", "s2", "s3"), 0)
    assert [each.split for each in refusals] == refused
    assert all("the import made up the" in each.reason for each in refusals)
    assert [each.name for each in splits] == [
        name for name in ("s1", "s3") if name not in refused
    ]
    (canary,) = (c for c in canaries_of(made, splits[0], 0) if c.name == "time_only")
    assert (canary.value, canary.sound) == (None, None)
    assert canary.note == "not measured: the import made up when windows began"


def test_times_that_nobody_made_up_are_recorded_and_no_other_word_is_known(bring):
    done = bring(HEAD + ON + OFF)
    path = done.folder / "campaign.yaml"
    text = path.read_text()
    path.write_text(text.replace("times: invented\n", ""))
    assert load_campaign(done.folder).times is Times.RECORDED
    path.write_text(text.replace("times: invented", "times: guessed"))
    with pytest.raises(
        DatasetError, match="times: must be one of recorded, dates, days, inv"
    ):
        load_campaign(done.folder)


def test_packets_that_go_back_in_time_are_sorted_when_asked(bring):
    done = bring(HEAD + "a,s,1,61,1\na,s,0,60,-1\na,s,1,62,-1\n", sort=True)
    packets = packets_of(done)
    assert packets.length_b.tolist() == [60, 61, 62]
    assert packets.outbound.tolist() == [False, True, False]


TRACE = st.lists(
    st.tuples(
        st.integers(0, 4_000_000_000),  # ns since the packet before
        st.integers(14, 65_549),
        st.booleans(),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(traces=st.lists(TRACE, min_size=1, max_size=4))
def test_sizes_directions_and_times_come_back_as_they_were(tmp_path_factory, traces):
    folder = tmp_path_factory.mktemp("there_and_back")
    text, truth = "trace," + HEAD, []
    for number, trace in enumerate(traces):
        at_ns = 1_543_285_705_811_617_000
        for gap_ns, size, out in trace:
            at_ns += gap_ns
            time = f"{at_ns // 10**9}.{at_ns % 10**9:09d}"
            session = "s" if number < 2 else "t"
            text += f"t{number},a,{session},{time},{size},{'out' if out else 'in'}\n"
        steps = np.cumsum([gap for gap, _size, _out in trace])
        truth.append((steps - steps[0], [t[1] for t in trace], [t[2] for t in trace]))
    table = folder / "all.csv"
    table.write_text(text)
    done = import_traces([table], target=folder / "done", device="plug")
    packets, windows = packets_of(done), windows_of(done)
    assert len(windows) == len(traces)
    spans = zip(windows.first, windows.last, strict=True)
    for (first, last), (times, sizes, out) in zip(spans, truth, strict=True):
        found_ns = packets.time_ns[first:last] - packets.time_ns[first]
        assert np.abs(found_ns - times).max() <= 1_000
        assert packets.length_b[first:last].tolist() == sizes
        assert packets.outbound[first:last].tolist() == out


@pytest.mark.skipif(
    "TESTBED_PUBLIC_DATA" not in os.environ,
    reason="TESTBED_PUBLIC_DATA is not set: no public traces here",
)
def test_traces_of_a_published_set_come_back_as_they_were(tmp_path):
    source = Path(os.environ["TESTBED_PUBLIC_DATA"]) / "vcfp-alexa" / "trace_csv"
    names = sorted(path.name for path in source.glob("*_L_1.csv"))[:5]
    labels = tmp_path / "labels.csv"
    rows = [f"{name},{name[:-8]},{name}\n" for name in names]
    labels.write_text("file,activity,session\n" + "".join(rows))
    done = import_traces(
        [source / name for name in names],
        labels=labels,
        target=tmp_path / "done",
        device="plug",
        recipe=TraceRecipe(extra_b=14, sort=True),
    )
    packets = packets_of(done)
    read = [
        np.loadtxt(source / name, delimiter=",", skiprows=1, ndmin=2) for name in names
    ]
    sizes = [row[2] + 14 for rows in read for row in rows]
    assert packets.length_b.tolist() == sizes
    assert packets.outbound.tolist() == [r[3] > 0 for rows in read for r in rows]
