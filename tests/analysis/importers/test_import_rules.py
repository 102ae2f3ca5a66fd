"""Rules of pcapML and netflowlabeler: what is written is read back the same."""

import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from analysis.dataset import load_activities, load_campaign
from analysis.errors import DatasetError, ImportDataError
from analysis.exporters.labels import (
    write_labelled_conn_log,
    write_netflow_rules,
    write_pcapml_rules,
)
from analysis.flows.conn_log import conn_log_lines, conn_log_rows
from analysis.importers.netflow_rules import (
    label_conn_log,
    label_of,
    load_netflow_rules,
)
from analysis.importers.pcapml_rules import import_pcapml
from analysis.labelling import label_campaign, labelled_as

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "captures" / "example"
PUBLIC = os.environ.get("TESTBED_PUBLIC_DATA", "")
S = 10**9


@pytest.fixture(scope="module")
def devices():
    return {d.name: d.mac for d in load_campaign(EXAMPLE).devices}


@pytest.fixture
def take(tmp_path, devices):
    """Return a function that imports rules of these lines."""

    def _take(*lines, **ends):
        rules = tmp_path / "labels.csv"
        rules.write_text("\n".join(lines) + "\n", encoding="utf-8")
        captures = sorted((EXAMPLE / "raw").glob("*.pcapng"))
        target = tmp_path / "made"
        shutil.rmtree(target, ignore_errors=True)
        import_pcapml(captures, rules=rules, devices=ends or devices, target=target)
        return target

    return _take


@pytest.mark.parametrize("widen", [False, True])
def test_rules_of_pcapml_come_back_as_the_same_labels(tmp_path, take, widen):
    rules = tmp_path / "out" / "labels.csv"
    campaign = Path(shutil.copytree(EXAMPLE, tmp_path / "example"))
    label_campaign(campaign, widen=widen)
    assert write_pcapml_rules(campaign, rules) == 9
    lines = rules.read_text(encoding="utf-8").splitlines()
    made = take(*lines)
    assert labelled_as(made)[1] is widen
    whole = load_activities(EXAMPLE).labelled().frame.sort("t_ns")
    back = load_activities(made).frame.sort("t_ns")
    same = ["device", "activity", "session", "trial", "channel", "network"]
    assert back[same].equals(whole[same])
    stamps = ["t_ns", "delta_ns", "t_uncertainty_ns"]
    assert back[stamps].equals(whole[stamps])
    for name in (f"{name}.pcapng" for name in set(whole["device"])):
        # each packet has the label that it had; what a section says of itself differs
        assert _labels(made / "labelled" / name) == _labels(
            campaign / "labelled" / name
        )
    # each line that pcapML itself reads is filter, label, sample
    for line in lines:
        if not line.startswith("#"):
            first, label, sample = line.split(",", 2)
            assert first.startswith("BPF:ether host ")
            assert label in set(whole["activity"])
            assert sample.startswith("example-")


def _labels(path):
    import pcapml

    frame = pcapml.read_pcapml(str(path), include_raw=False)
    assert frame["label"].notna().any()
    return frame[["timestamp", "label", "session", "length"]].values.tolist()


def test_without_our_comments_windows_are_whole_seconds(tmp_path, take):
    rules = tmp_path / "out" / "labels.csv"
    write_pcapml_rules(EXAMPLE, rules)
    lines = rules.read_text(encoding="utf-8").splitlines()
    made = take(*(line for line in lines if not line.startswith("#")))
    rows = load_activities(made).frame
    assert (rows["t_ns"] % S == 0).all()
    assert (rows["delta_ns"] % S == 0).all()
    assert rows["delta_ns"].min() == 9 * S  # of 8 s that lie across nine
    # a comment about something else than the rule counts for nothing
    moved = [line.replace("start_ns=1", "start_ns=2") for line in lines]
    assert load_activities(take(*moved)).frame["t_ns"].equals(rows["t_ns"])


def test_rules_without_a_filter_are_of_the_one_device(take, devices):
    name, mac = next(iter(devices.items()))
    start = load_activities(EXAMPLE).frame["t_ns"].min() // S
    made = take(f"TS_START:{start}|TS_END:{start + 4},turn_on", **{name: mac})
    assert load_campaign(made).devices[0].every_packet


def test_all_faults_of_pcapml_rules_come_at_once_with_their_lines(take, tmp_path):
    start = load_activities(EXAMPLE).frame["t_ns"].min() // S
    when = f"|TS_START:{start}|TS_END:{start + 4}"
    with pytest.raises(ImportDataError) as caught:
        take(
            "turn_on",
            "BPF:tcp port 80" + when + ",turn_on",
            "BPF:ether host 00:11:22:33:44:55" + when + ",turn_on",
            "BPF:ether host 00:11:22:33:44:55,turn_on",
            when[1:] + ",turn_on",
            f"TS_START:{start}.5|TS_END:{start},turn_on",
            when[1:] + ",idle",
            f"TS_START:{start}|TS_END:{start - 1},turn_on",
            f"TIME:{start},turn_on",
        )
    told = str(caught.value)
    for number in range(1, 10):
        assert f"line {number}:" in told
    assert not (tmp_path / "made").exists()


def test_a_conn_log_with_labels_comes_back_with_them(tmp_path):
    path = tmp_path / "conn.log.labeled"
    n, n_labelled = write_labelled_conn_log(EXAMPLE, path)
    rows = [*conn_log_rows(path)]
    causes = [row.cause for row in rows]
    assert len(rows) == n > n_labelled == sum(map(bool, causes)) > 8
    windows = load_activities(EXAMPLE).labelled().frame
    assert set(causes) == {"", *windows["activity"]}
    for row in rows:  # within the uncertainty of the start
        edges = windows.filter(pl.col("activity") == row.cause)
        slack = edges["t_uncertainty_ns"].max() or 0
        t, end = edges["t_ns"], edges["t_ns"] + edges["delta_ns"]
        touched = (t - slack <= row.end_ns) & (row.start_ns < end + slack)
        assert not row.cause or touched.any()


def test_rules_of_netflowlabeler_give_the_labels_that_they_were_made_of(tmp_path):
    rules, log = tmp_path / "labels.config", tmp_path / "conn.log"
    n, n_rules = write_netflow_rules(EXAMPLE, rules, log)
    out, wanted = tmp_path / "conn.log.labeled", tmp_path / "wanted"
    counts = label_conn_log(log, load_netflow_rules(rules), out)
    assert write_labelled_conn_log(EXAMPLE, wanted) == (n, n_rules)
    assert out.read_bytes() == wanted.read_bytes()
    assert counts[""] == n - n_rules


def test_a_record_is_of_the_window_that_it_shares_most_with():
    from analysis.exporters.labels.windows import FlowLabels, windows_of
    from analysis.flows import FlowRecords
    from analysis.flows.foreign import Row, Side, pieces_of

    each = windows_of(EXAMPLE)
    (plug,) = (one for one in each if one.device.name == "tplink_hs110")
    (_, end_1, one), (start_2, end_2, two) = [*plug.rows()][:2]
    spans = {
        (end_1 - 2 * S, start_2 + S): one["activity"],
        (end_1 - S, start_2 + 2 * S): two["activity"],
        (end_1, start_2 - 1): "",
        (end_1 - 1, end_1 - 1): one["activity"],
        (end_2, end_2): "",
    }
    rows = [
        Row(
            start_ns=start,
            end_ns=end,
            protocol=6,
            addresses=("10.77.0.19", "192.0.2.1"),
            ports=(1, 2),
            packets=(1, 1),
            bytes=(60, 60),
            payload_b=(0, 0),
        )
        for start, end in spans
    ]
    told = [piece.records for piece in pieces_of(rows, Side(name="tplink_hs110"))]
    labels = FlowLabels(each).of(FlowRecords.joined(told))
    assert [activity for _, activity in labels] == [*spans.values()]


RULES = """
# whatever comes last counts
0 - Background:
    - srcIP=all
Benign, Time:   # of the network
    - Proto=UDP & dstPort=123
    - dstIP=216.239.35.0/24 & dstPort!=443
Malicious, Big:
    - Bytes>=96 & Packets<=2 & State=SF & srcIP!=10.0.0.0/8
Six, Lan:
    - srcIP=fe80:0::1
"""


@pytest.mark.parametrize(
    ("changed", "label"),
    [
        ({}, ("Malicious", "Big")),
        ({"orig_bytes": "47"}, ("Benign", "Time")),
        ({"resp_pkts": "2"}, ("Benign", "Time")),
        ({"id.orig_h": "10.0.0.9"}, ("Benign", "Time")),
        ({"id.resp_p": "443", "conn_state": "S0"}, ("Background", "")),
        ({"id.orig_h": "fe80::1"}, ("Six", "Lan")),
        ({"orig_bytes": "-", "resp_bytes": "-"}, ("Benign", "Time")),
    ],
)
def test_the_last_rule_that_holds_counts(tmp_path, changed, label):
    path = tmp_path / "labels.config"
    path.write_text(RULES, encoding="utf-8")
    values = {
        "proto": "udp",
        "id.orig_h": "192.168.1.132",
        "id.orig_p": "58687",
        "id.resp_h": "216.239.35.4",
        "id.resp_p": "123",
        "conn_state": "SF",
        **{f"{side}_{what}": "1" for side in ("orig", "resp") for what in ("pkts",)},
        **{f"{side}_bytes": "48" for side in ("orig", "resp")},
    }
    assert label_of(load_netflow_rules(path), values | changed) == label


def test_all_faults_of_netflow_rules_come_at_once_with_their_lines(tmp_path):
    path = tmp_path / "labels.config"
    lines = ("- srcIP=all", "A:", "- srcIP", "- Tos=1", "- Proto>5", "- srcPort=x")
    path.write_text("\n".join((*lines, "- srcIP=300.1.1.1", "B")), encoding="utf-8")
    with pytest.raises(ImportDataError) as caught:
        load_netflow_rules(path)
    for number in (1, 3, 4, 5, 6, 7, 8):
        assert f"line {number}:" in str(caught.value)


def test_a_field_that_a_log_lacks_is_told(tmp_path):
    log, rules = tmp_path / "conn.log", tmp_path / "labels.config"
    log.write_text("#fields\tts\tproto\n1.0\tudp\n", encoding="utf-8")
    rules.write_text("A:\n - srcPort=1\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"line 2: has no field id.orig_p"):
        label_conn_log(log, load_netflow_rules(rules), tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["conn.log", "labels.config"]


@pytest.mark.skipif(not PUBLIC, reason="TESTBED_PUBLIC_DATA is not set")
def test_labels_of_iot_23_are_read_and_replaced(tmp_path):
    log = Path(PUBLIC) / "iot-23" / "CTU-Honeypot-Capture-4-1" / "conn.log.labeled"
    assert [row.cause for row in conn_log_rows(log)] == ["benign"] * 452
    rules, out = tmp_path / "labels.config", tmp_path / "out"
    rules.write_text(RULES.replace("Bytes>=96", "Bytes>=1000000"), encoding="utf-8")
    counts = label_conn_log(log, load_netflow_rules(rules), out)
    assert sum(counts.values()) == 452
    assert counts["Benign, Time"] > 50
    assert [row.cause for row in conn_log_rows(out)].count("Background") > 50
    first, again = next(conn_log_lines(log))[1], next(conn_log_lines(out))[1]
    assert {**first, "label": "Benign", "detailed-label": "Time"} == again
