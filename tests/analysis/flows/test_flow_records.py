import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.errors import DatasetError
from analysis.flows import (
    COLUMNS,
    SCHEMA,
    FlowRecords,
    Texts,
    iter_flows,
    read_causes,
    read_flows,
    write_causes,
    write_flows,
)
from analysis.flows.files import csv_lines, stream_csv

each_form = pytest.mark.parametrize("name", ["flows.parquet", "flows.csv"])


@each_form
@pytest.mark.parametrize("n", [0, 1, 500])
def test_what_is_written_is_read_back_to_the_last_bit(
    name, n, records, assert_same, tmp_path
):
    made = records(n)
    assert write_flows(tmp_path / name, made) == n
    assert_same(read_flows(tmp_path / name), made)


@each_form
def test_pieces_follow_each_other_both_ways(name, records, assert_same, tmp_path):
    parts = [records(40, seed) for seed in (1, 2, 3)]
    assert write_flows(tmp_path / name, iter(parts)) == 120
    pieces = list(iter_flows(tmp_path / name, rows=32))
    assert max(len(piece) for piece in pieces) <= 32
    assert_same(FlowRecords.joined(pieces), FlowRecords.joined(parts))


@each_form
def test_columns_stand_in_their_order_and_nothing_besides(name, records, tmp_path):
    write_flows(tmp_path / name, records(3))
    if name.endswith("csv"):
        head = (tmp_path / name).read_text(encoding="utf-8").splitlines()[0]
        names = [json.loads(each) for each in head.split(",")]
    else:
        names = pq.read_schema(tmp_path / name).names
    assert names == list(COLUMNS)


@each_form
def test_a_file_that_could_not_be_finished_is_not_left(name, records, tmp_path):
    def pieces():
        yield records(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_flows(tmp_path / name, pieces())
    assert list(tmp_path.iterdir()) == []


def table_of(records, tmp_path):
    write_flows(tmp_path / "good.parquet", records(5))
    return pq.read_table(tmp_path / "good.parquet")


def cast(table, name, kind):
    at = table.schema.get_field_index(name)
    return table.set_column(at, name, table[name].cast(kind))


FAULTS = {
    "lacks the column ttl_in": lambda t: t.drop_columns("ttl_in"),
    "has a column cause besides": lambda t: t.append_column("cause", t["end"]),
    "protocol must be uint8, not int64": lambda t: cast(t, "protocol", pa.int64()),
    "end must be string, not int32": lambda t: t.set_column(
        26, "end", pa.array([1] * 5, pa.int32())
    ),
    "end is one of idle, active, closed, capture, not 'x'": lambda t: t.set_column(
        26, "end", pa.array(["x"] * 5)
    ),
    "home: a text is not there": lambda t: t.set_column(
        0, "home", pa.array(["a", None, "a", "a", "a"])
    ),
    "packets_in: a number is not there": lambda t: t.set_column(
        12, "packets_in", pa.array([None] * 5, pa.int64())
    ),
    "record 1 ends before it starts": lambda t: t.set_column(
        4, "end_ns", pa.array([0] * 5, pa.int64())
    ),
    "record 1 has bytes_in below 0": lambda t: t.set_column(
        14, "bytes_in", pa.array([-1] * 5, pa.int64())
    ),
    "record 1 has no packet": lambda t: t.set_column(
        11, "packets_out", pa.array([0] * 5, pa.int64())
    ).set_column(12, "packets_in", pa.array([0] * 5, pa.int64())),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_not_right_is_refused_in_a_sentence(fault, records, tmp_path):
    path = tmp_path / "bad.parquet"
    pq.write_table(FAULTS[fault](table_of(records, tmp_path)), path)
    with pytest.raises(DatasetError, match=f"{path}.*{fault}"):
        read_flows(path)


@pytest.mark.parametrize("text", [b"", b"a,b\n1,2\n", b"\x00\xff" * 40])
@each_form
def test_a_file_of_something_else_is_refused(text, name, tmp_path):
    (tmp_path / name).write_bytes(text)
    with pytest.raises(DatasetError, match="is no file of flow records"):
        read_flows(tmp_path / name)


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(DatasetError, match="is not there"):
        read_flows(tmp_path / "none.parquet")


def test_plain_and_null_columns_of_others_are_read(records, assert_same, tmp_path):
    made = records(50)
    write_flows(tmp_path / "ours.parquet", made)
    table = pq.read_table(tmp_path / "ours.parquet").cast(SCHEMA)
    holes = [None if v != v else v for v in table["iat_std_s"].to_pylist()]
    at = table.schema.get_field_index("iat_std_s")
    table = table.set_column(at, "iat_std_s", pa.array(holes, pa.float64()))
    pq.write_table(table, tmp_path / "theirs.parquet")
    assert_same(read_flows(tmp_path / "theirs.parquet"), made)


def test_causes_go_with_their_records_row_by_row(tmp_path):
    causes = Texts.of(["benign", "", "botnet", "benign"])
    write_causes(tmp_path / "truth.parquet", causes)
    assert read_causes(tmp_path / "truth.parquet", 4).tolist() == causes.tolist()
    with pytest.raises(DatasetError, match="has 4 rows for 5 flow records"):
        read_causes(tmp_path / "truth.parquet", 5)


def test_chosen_records_and_order_of_time(records):
    made = records(200)
    chosen = made.take(made.outbound)
    assert len(chosen) == made.outbound.sum()
    assert (
        chosen.device.tolist() == np.array(made.device.tolist())[made.outbound].tolist()
    )
    assert np.all(np.diff(made.by_time().start_ns) >= 0)


def test_texts_join_by_name_and_not_by_number():
    one, two = Texts.of(["b", "a", "b"]), Texts.of(["a", "c"])
    both = Texts.joined([one, two, Texts.joined([])])
    assert both.tolist() == ["b", "a", "b", "a", "c"]
    assert both.is_in("a", "x").tolist() == [False, True, False, True, False]
    with pytest.raises(ValueError, match="read-only"):
        both.number[0] = 3


def test_what_the_simulated_homes_write_is_read():
    from testbed.virtual.homes.files import FLOWS

    assert FLOWS.equals(SCHEMA)


def as_csv(made):
    return "".join(csv_lines(made)).encode()


def with_cell(data, line, column, text):
    """Return CSV with another text in a cell; lines from 1, with the names."""
    lines = data.decode().splitlines(keepends=True)
    cells = lines[line - 1].rstrip("\n").split(",")
    cells[list(COLUMNS).index(column)] = text
    lines[line - 1] = ",".join(cells) + "\n"
    return "".join(lines).encode()


CELLS = [
    ("start_ns", "noon", "line 70: start_ns must be int64, not 'noon'"),
    ("start_ns", "NaN", "line 70: start_ns must be int64, not 'NaN'"),
    ("protocol", "300", "line 70: protocol must be uint8, not '300'"),
    ("outbound", "maybe", "line 70: outbound must be bool, not 'maybe'"),
    ("end_ns", "1,2", "line 70: has 28 fields where the first line has 27"),
    ("end_ns", "5", "record 69 ends before it starts"),
    ("packets_out", "-5", "record 69 has packets_out below 0"),
    ("iat_mean_s", "inf", "record 69 has iat_mean_s that cannot be"),
    ("iat_std_s", "-1", "record 69 has iat_std_s that cannot be"),
    ("start_ns", "", "start_ns: a number is not there"),
]


@pytest.mark.parametrize(("column", "text", "reason"), CELLS)
def test_what_cannot_be_in_csv_is_refused_by_its_line(
    column, text, reason, records, tmp_path
):
    made = records(100)
    made = made.replaced(**{n: Texts.same("a", 100) for n in ("home", "device")})
    made = made.replaced(**{n: Texts.same("b", 100) for n in ("model", "server_name")})
    ends = ("device_address", "remote_address")
    data = as_csv([made.replaced(**{n: Texts.same("c", 100) for n in ends})])
    data = with_cell(data, 70, column, text)
    (tmp_path / "f.csv").write_bytes(data)
    pieces = (data[at : at + 3_000] for at in range(0, len(data), 3_000))
    for read in (
        lambda: read_flows(tmp_path / "f.csv"),
        lambda: list(stream_csv(pieces, "pipe")),
    ):
        with pytest.raises(DatasetError) as told:
            read()
        assert f": is no file of flow records: {reason}; " in f"{told.value}; "
        assert "; " in str(told.value)


@pytest.mark.parametrize("size", [1, 100, 1 << 20])
def test_a_stream_is_read_however_it_is_cut(size, records, assert_same):
    made = records(12)
    odd = Texts.of(f'a"{k}\nb,\r\n"c' for k in range(12))
    made = made.replaced(server_name=odd)
    data = as_csv([made])
    chunks = (data[at : at + size] for at in range(0, len(data), size))
    pieces = list(stream_csv(chunks, "pipe"))
    assert_same(FlowRecords.joined(pieces), made)
    if size == 1:
        assert len(pieces) == len(made)


def test_a_stream_without_its_last_line_end_loses_nothing(records, assert_same):
    made = records(3)
    assert_same(FlowRecords.joined(list(stream_csv([as_csv([made])[:-1]], "p"))), made)
    assert list(stream_csv([], "p")) == list(stream_csv([b'"home"'], "p")) == []


def test_a_quote_that_stays_open_takes_no_endless_memory(records):
    begun = as_csv([records(1)])[:-20].rpartition(b'"')[0]
    taken = []

    def chunks():
        yield begun
        for _ in range(100):
            taken.append(1)
            yield b"x" * (1 << 16)

    with pytest.raises(DatasetError, match=r"pipe: .* longer than 1 MiB; is a quote"):
        list(stream_csv(chunks(), "pipe"))
    assert len(taken) < 20


def test_names_of_several_lines_are_read_from_a_long_file(records, assert_same):
    made = records(40)
    odd = Texts.of("line\n" * 6_000 + str(k) for k in range(40))
    made = made.replaced(server_name=odd)
    data = as_csv([made])
    assert len(data) > 1 << 20  # more than Arrow reads at a time
    (piece,) = stream_csv([data], "pipe")
    assert_same(piece, made)


def test_a_file_of_causes_and_a_table_of_others_are_told_from_flow_records(tmp_path):
    causes, log = tmp_path / "truth.parquet", tmp_path / "conn.log"
    write_causes(causes, Texts.of(["benign"] * 3))
    log.write_text("#separator \\x09\n#fields\tts\n")
    for path, reason in ((causes, "lacks the column home"), (log, "flows convert")):
        with pytest.raises(DatasetError, match=reason):
            read_flows(path)
