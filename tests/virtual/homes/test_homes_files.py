"""The folder of a simulation is what the analysis is promised."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from analysis.flows import read_causes, read_flows
from analysis.flows.homes import homes_of
from testbed.errors import ConfigError
from testbed.virtual.homes import ATTACKS, Task, read_attack, simulate

COLUMNS = [
    *("home", "device", "model", "start_ns", "end_ns", "protocol"),
    *("device_address", "remote_address", "device_port", "remote_port", "outbound"),
    *("packets_out", "packets_in", "bytes_out", "bytes_in"),
    *("payload_out_b", "payload_in_b", "tcp_flags_out", "tcp_flags_in"),
    *("ttl_out", "ttl_in", "iat_mean_s", "iat_std_s", "iat_min_s", "iat_max_s"),
    *("server_name", "end"),
]


def test_flows_have_exactly_the_columns_of_flow_records(read):
    flows, truth = read("lab")
    assert flows.column_names == COLUMNS
    assert truth.num_rows == flows.num_rows > 5_000


def test_the_analysis_reads_them_with_their_causes(folder, read):
    for home in ("lab", "home_1"):
        records = read_flows(folder / f"home={home}" / "flows.parquet")
        causes = read_causes(folder / "truth" / f"home={home}.parquet", len(records))
        table, truth = read(home)
        assert list(records.home) == [home] * table.num_rows
        assert list(causes) == truth["cause"].to_pylist()


def test_a_record_is_outbound_when_its_own_first_packet_is(read):
    flows, _ = read("lab")
    outbound = flows["outbound"].to_numpy()
    assert (flows["packets_out"].to_numpy()[outbound] > 0).all()
    assert (flows["packets_in"].to_numpy()[~outbound] > 0).all()
    assert 0 < (~outbound).sum() < outbound.sum()


def test_records_are_in_order_of_their_start_over_all_days(read):
    for home in ("lab", "home_1"):
        start = read(home)[0]["start_ns"].to_numpy()
        assert (np.diff(start) >= 0).all()


def test_a_record_keeps_the_timeouts(read):
    flows, _ = read("lab")
    span_s = (flows["end_ns"].to_numpy() - flows["start_ns"].to_numpy()) / 1e9
    assert span_s.min() >= 0
    assert span_s.max() < 60.0
    assert np.nanmax(flows["iat_max_s"].to_numpy()) <= 15.0


def test_gaps_are_missing_exactly_in_records_of_one_packet(read):
    flows, _ = read("lab")
    n = flows["packets_out"].to_numpy() + flows["packets_in"].to_numpy()
    assert (np.isnan(flows["iat_mean_s"].to_numpy()) == (n == 1)).all()
    assert n.min() == 1


def test_frames_hold_their_payload_and_headers(read):
    flows, _ = read("lab")
    for side in ("out", "in"):
        n, size_b, payload_b = (
            flows[name].to_numpy()
            for name in (f"packets_{side}", f"bytes_{side}", f"payload_{side}_b")
        )
        assert (size_b - payload_b >= 34 * n).all()
        assert (size_b - payload_b <= 98 * n).all()
        assert ((flows[f"ttl_{side}"].to_numpy() == 0) >= (n == 0)).all()


def test_attacks_are_where_and_when_they_were_staged(read, about):
    flows, truth = read("lab")
    cause = np.array(truth["cause"].to_pylist())
    day = (flows["start_ns"].to_numpy() - flows["start_ns"].to_numpy()[0]) // (
        86_400 * 10**9
    )
    assert set(cause) == {"benign", "botnet", "coin_mining", "ddos"}
    assert (day[cause == "botnet"] >= 1).all()
    assert (day[cause == "ddos"] >= 1).all()
    assert set(read("home_1")[1]["cause"].to_pylist()) == {"benign", "exfiltration"}
    assert [a["home"] for a in about["attacks"]] == ["lab", "lab", "home_1", "lab"]


def test_the_same_seed_makes_the_same_records_and_another_does_not(bulb, tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        staged = (read_attack("ddos/0"),)
        simulate(
            Task(homes=1, days=1, seed=seed, attacks=staged), bulb, tmp_path / name
        )
    for path in ("home=lab/flows.parquet", "truth/home=lab.parquet"):
        first, again, other = ((tmp_path / n / path).read_bytes() for n in "abc")
        assert first == again != other


@pytest.mark.parametrize(
    "text", ["worm", "botnet:huge", "botnet/x", "", "ddos/1-x", "ddos@/-2"]
)
def test_an_attack_that_cannot_be_read_is_told_in_words(text):
    with pytest.raises(ConfigError, match="written"):
        read_attack(text)


def test_a_home_that_does_not_exist_is_told(echo, tmp_path):
    task = Task(homes=1, days=1, attacks=(read_attack("ddos@home_7/0"),))
    with pytest.raises(ConfigError, match="no such home; there are lab"):
        simulate(task, echo, tmp_path / "out")


def test_days_outside_of_the_span_are_told_before_anything_is_written(bulb, tmp_path):
    task = Task(homes=2, days=1, attacks=(read_attack("ddos@home_1/1-2"),))
    with pytest.raises(ConfigError, match="span of 1 days"):
        simulate(task, bulb, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_is_left_alone(echo, tmp_path):
    (tmp_path / "mine").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match="not empty"):
        simulate(Task(homes=1, days=1), echo, tmp_path)


def test_more_homes_leave_the_first_as_it_was(bulb, tmp_path):
    for n in (1, 2):
        simulate(Task(homes=n, days=1, seed=4), bulb, tmp_path / str(n))
    alone, first = (tmp_path / n / "home=lab" / "flows.parquet" for n in "12")
    assert alone.read_bytes() == first.read_bytes()


def test_what_homes_send_is_frozen_for_the_published_figures(bulb, tmp_path):
    staged = tuple(read_attack(f"{name}/0") for name in ATTACKS)
    simulate(Task(homes=1, days=1, seed=8, attacks=staged), bulb, tmp_path / "a")
    flows = pq.ParquetFile(tmp_path / "a" / "home=lab" / "flows.parquet").read()
    sums = [int(flows[n].to_numpy().sum()) for n in ("packets_out", "bytes_in")]
    assert [flows.num_rows, *sums] == [5442, 36531, 58283620]


def test_a_simulation_that_is_cut_short_leaves_nothing(bulb, tmp_path):
    def cut(what, done, total):
        assert (tmp_path / ".homes.part" / "home=lab").exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(Task(homes=1, days=1), bulb, tmp_path / "homes", told=cut)
    assert list(tmp_path.iterdir()) == []


def test_what_an_earlier_simulation_left_is_not_kept(bulb, tmp_path):
    left = tmp_path / ".homes.part" / "home=gone"
    left.mkdir(parents=True)
    (tmp_path / "homes").mkdir()
    simulate(Task(homes=1, days=1), bulb, tmp_path / "homes")
    assert [path.name for path in tmp_path.iterdir()] == ["homes"]
    assert list(homes_of(tmp_path / "homes")) == ["lab"]
