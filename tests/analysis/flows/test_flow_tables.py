import gzip
import json

import numpy as np
import pytest

from analysis.errors import DatasetError
from analysis.flows import FlowRecords, Texts, write_flows
from analysis.flows.conn_log import write_conn_log
from analysis.flows.tables import Side, read_table

HEAD = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"
    "#path\tconn\n"
)
FIELDS = (
    "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\t"
    "duration\torig_bytes\tresp_bytes\tconn_state\tlocal_orig\tlocal_resp\t"
    "missed_bytes\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\t"
)
ROWS = (
    "1537523212.430714\tC1\t192.168.2.3\t5000\t198.51.100.7\t443\ttcp\tssl\t2.5\t100\t"
    "400\tSF\t-\t-\t0\tShADadFf\t6\t360\t5\t620\t",
    "1537523213.000001\tC2\t198.51.100.9\t40000\t192.168.2.3\t23\ttcp\t-\t-\t-\t-\tREJ"
    "\t-\t-\t0\tSr\t1\t40\t1\t40\t",
    "1537523214.5\tC3\tfe80::1\t133\tff02::2\t134\ticmp\t-\t-\t-\t-\tOTH\t-\t-\t0\t-\t1"
    "\t56\t0\t0\t",
    "1537523215.5\tC4\t192.168.2.3\t68\t192.168.2.1\t67\tudp\t-\t3.0\t300\t0\tS0\t-\t-"
    "\t0\tD\t0\t0\t0\t0\t",
)


def log(tmp_path, tail="tunnel_parents\tlabel\tdetailed-label", ends=None):
    ends = ends or (["-\tMalicious\tPartOfAHorizontalPortScan"] + ["-\tbenign\t-"] * 3)
    rows = [row + end for row, end in zip(ROWS, ends, strict=True)]
    path = tmp_path / "conn.log.labeled"
    path.write_text(HEAD + FIELDS + tail + "\n" + "\n".join(rows) + "\n#close\tnow\n")
    return path


def read(path, side=None):
    told = list(read_table(path, side))
    records = FlowRecords.joined([each.records for each in told])
    return records, Texts.joined([each.causes for each in told])


def test_a_conn_log_is_read_from_the_side_of_a_device(tmp_path):
    records, causes = read(log(tmp_path), Side.of("cam=192.168.2.3", home="h"))
    assert records.device.tolist() == ["cam", "cam"]
    assert records.home.tolist() == ["h", "h"]
    assert records.start_ns.tolist()[0] == 1_537_523_212_430_714_000
    assert records.duration_s.tolist() == [2.5, 0.0]
    assert records.outbound.tolist() == [True, False]
    assert records.remote_address.tolist() == ["198.51.100.7", "198.51.100.9"]
    assert records.device_port.tolist() == [5000, 23]
    assert records.packets_out.tolist() == [6, 1]
    assert records.bytes_out.tolist() == [360 + 6 * 14, 40 + 14]
    assert records.payload_in_b.tolist() == [400, 0]
    assert records.tcp_flags_out.tolist() == [1 | 2 | 8 | 16, 4]
    assert records.tcp_flags_in.tolist() == [1 | 2 | 8 | 16, 2]
    assert records.end.tolist() == ["closed", "closed"]
    assert records.iat_mean_s.tolist() == [0.25, 0.0]
    assert np.isnan(records.iat_max_s[0])
    assert causes.tolist() == ["PartOfAHorizontalPortScan", "benign"]


def test_without_a_device_every_record_with_packets_is_kept(tmp_path):
    records, causes = read(log(tmp_path))
    assert records.protocol.tolist() == [6, 6, 58]
    assert records.outbound.all()
    assert records.device_port.tolist() == [5000, 40000, 0]
    assert len(causes) == 3


def test_labels_that_are_parted_by_spaces_are_read_too(tmp_path):
    ends = ["-   malicious   C&C", *["-   benign   -"] * 3]
    tail = "tunnel_parents   label   detailed-label"
    _, causes = read(log(tmp_path, tail, ends))
    assert causes.tolist() == ["C&C", "benign", "benign"]


def test_a_conn_log_of_ours_is_read_back(records, tmp_path):
    made = records(300)
    written = made.replaced(
        protocol=np.where(made.outbound, 6, 17).astype(np.uint8),
        device_address=Texts.same("192.0.2.1", 300),
        remote_address=Texts.same("2001:db8::1", 300),
        bytes_out=made.bytes_out + 14 * made.packets_out,
        bytes_in=made.bytes_in + 14 * made.packets_in,
    )
    assert write_conn_log(tmp_path / "conn.log", written) == 300
    back, causes = read(tmp_path / "conn.log", Side.of("a=192.0.2.1"))
    for name in (
        *("start_ns", "end_ns", "protocol", "device_port", "remote_port", "outbound"),
        *("packets_out", "packets_in", "bytes_out", "bytes_in"),
        *("payload_out_b", "payload_in_b"),
    ):
        expected = getattr(written, name)
        np.testing.assert_array_equal(getattr(back, name), expected, err_msg=name)
    assert back.remote_address.tolist() == written.remote_address.tolist()
    assert set(causes) == {""}


@pytest.mark.parametrize(
    ("sent", "received", "state", "history"),
    [
        (2, 0, "S0", "S"),
        (2 | 16, 2 | 16, "S1", "SAha"),
        (1 | 2 | 8 | 16, 1 | 2 | 8 | 16, "SF", "SADFhadf"),
        (2, 4 | 16, "REJ", "Sar"),
        (2 | 4 | 16, 2 | 16, "RSTO", "SARha"),
        (2 | 16, 2 | 4 | 16, "RSTR", "SAhar"),
        (16, 16, "OTH", "Aa"),
    ],
)
def test_states_are_those_of_zeek(sent, received, state, history, records, tmp_path):
    one = records(1).replaced(
        protocol=np.array([6], np.uint8),
        outbound=np.array([True]),
        tcp_flags_out=np.array([sent], np.uint8),
        tcp_flags_in=np.array([received], np.uint8),
    )
    write_conn_log(tmp_path / "conn.log", one)
    values = (tmp_path / "conn.log").read_text().splitlines()[-1].split("\t")
    assert (values[11], values[15]) == (state, history)


JOY = {
    "sa": "192.168.3.5",
    "da": "203.0.113.9",
    "sp": 5000,
    "dp": 443,
    "pr": 6,
    "time_start": 1545154899.25,
    "time_end": 1545154901.25,
    "num_pkts_out": 2,
    "num_pkts_in": 1,
    "bytes_out": 100,
    "bytes_in": 50,
    "ip": {"out": {"ttl": 64}, "in": {"ttl": 51}},
    "tls": {"sni": ["Server.Example"]},
    "expire_type": "i",
    "ppi": [
        {"b": 0, "t": 0, "dir": ">", "flags": "S"},
        {"b": 0, "t": 500, "dir": "<", "flags": "SA"},
        {"b": 100, "t": 2000, "dir": ">", "flags": "PA"},
    ],
}


def joy(tmp_path, *flows):
    path = tmp_path / "flows.json"
    path.write_text("\n".join(json.dumps(flow) for flow in flows) + "\n")
    return path


def test_flows_of_joy_are_read(tmp_path):
    bare = {k: JOY[k] for k in ("sa", "da", "time_start", "time_end", "num_pkts_out")}
    bare |= {"sp": None, "dp": None, "pr": 2, "bytes_out": 16, "ip": {}}
    records, _ = read(joy(tmp_path, {"version": "4.2"}, JOY, bare))
    assert records.start_ns.tolist()[0] == 1_545_154_899_250_000_000
    assert records.bytes_out.tolist() == [100 + 2 * 54, 16 + 2 * 34]
    assert records.bytes_in.tolist() == [50 + 54, 0]
    assert (records.ttl_out[0], records.ttl_in[0]) == (64, 51)
    assert (records.tcp_flags_out[0], records.tcp_flags_in[0]) == (2 | 8 | 16, 2 | 16)
    assert records.iat_mean_s[0] == pytest.approx(1.0)
    assert records.iat_std_s[0] == pytest.approx(0.5)
    assert (records.iat_min_s[0], records.iat_max_s[0]) == (0.5, 1.5)
    assert records.server_name.tolist() == ["server.example", ""]
    assert records.end.tolist() == ["idle", "capture"]
    assert records.device_port.tolist() == [5000, 0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"num_pkts_out": -1}, "num_pkts_out cannot be -1"),
        ({"pr": 256}, "pr cannot be 256"),
        ({"pr": None}, "pr must be a whole number, not None"),
        ({"dp": 65_536}, "a port cannot be 65536"),
        ({"time_start": float("nan")}, "nan s is out of range"),
        ({"time_start": "noon"}, "'noon' is no number of seconds"),
        ({"bytes_out": "many"}, "bytes_out must be a whole number, not 'many'"),
        ({"ppi": [{"dir": "?"}]}, "lacks '?'"),
        ({"bytes_out": 10**20}, "bytes_out cannot be 1000"),
        ({"bytes_out": float("inf")}, "bytes_out must be a whole number, not inf"),
        ({"ip": []}, "is not as Joy writes it"),
        ({"sa": None}, "is not as Joy writes it"),
    ],
)
def test_a_flow_of_joy_that_cannot_be_is_refused_by_its_line(change, reason, tmp_path):
    path = joy(tmp_path, JOY, JOY | change)
    with pytest.raises(DatasetError) as told:
        read(path)
    assert "line 2: " in str(told.value)
    assert reason in str(told.value)


def test_a_line_of_joy_that_is_cut_is_refused_in_our_words(tmp_path):
    path = joy(tmp_path, JOY)
    path.write_text(path.read_text() + '{"sa": "10.0.0.1", "da"')
    with pytest.raises(DatasetError, match="line 2: is not as Joy writes it, or cut"):
        read(path)


def test_a_line_nested_without_end_is_refused_by_its_number(tmp_path):
    path = joy(tmp_path, JOY)
    path.write_text(path.read_text() + '{"sa":' + "[" * 100_000 + "\n")
    with pytest.raises(DatasetError, match="line 2"):
        read(path)


def test_a_flow_of_joy_that_ends_before_it_starts_has_no_gaps_below_0(tmp_path):
    back = JOY | {"time_start": 20.0, "time_end": 10.0, "ppi": []}
    records, _ = read(joy(tmp_path, back))
    assert records.iat_mean_s.tolist() == [0.0]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("\t5000\t", "\t65536\t", "a port cannot be 65536"),
        ("\t5000\t", "\thttp\t", "a port must be a whole number, not 'http'"),
        ("1537523212.430714", "yesterday", "'yesterday' is no number of seconds"),
        ("1537523212.430714", "-5", "-5 s is out of range"),
        ("1537523212.430714", "9" * 20, "s is out of range"),
        ("1537523212.430714", "9" * 5_000, "s is out of range"),
        ("1537523212.430714", "9223372036", "an end 2.5 s after 9223372036 s is"),
        ("\t100\t400\t", "\t-100\t400\t", "orig_bytes cannot be -100"),
        ("\t100\t400\t", "\t\x00\t400\t", "orig_bytes must be a whole number"),
        ("\t100\t400\t", "\t100\t", "has 22 fields where #fields names 23"),
        ("id.orig_h", "id.somebody", "has no field id.orig_h"),
        ("#fields", "#felder", "comes before #fields; give the log with"),
    ],
)
def test_a_conn_log_that_cannot_be_is_refused_by_its_line(old, new, reason, tmp_path):
    path = log(tmp_path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DatasetError) as told:
        read(path)
    assert str(told.value).startswith(f"{path}: line 7: ")
    assert reason in str(told.value)


def test_something_else_is_refused(tmp_path):
    path = tmp_path / "flows.log"
    path.write_bytes(gzip.compress(b"#separator"))
    with pytest.raises(DatasetError, match="is no Parquet or CSV"):
        read(path)


def test_ours_are_taken_as_they_are_but_for_what_is_asked(records, tmp_path):
    made = records(50)
    write_flows(tmp_path / "a.parquet", made)
    same, _ = read(tmp_path / "a.parquet")
    assert same.device.tolist() == made.device.tolist()
    other, _ = read(tmp_path / "a.parquet", Side.of("cam", home="h2"))
    assert set(other.device) == {"cam"}
    assert set(other.home) == {"h2"}
    none, causes = read(tmp_path / "a.parquet", Side.of("cam=192.0.2.0/24"))
    assert len(none) == len(causes) == 0
