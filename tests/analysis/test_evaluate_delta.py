import numpy as np
import polars as pl
import pytest

from analysis.dataset import COLUMNS, ActivityLog
from analysis.evaluate.delta.heard import listen
from analysis.evaluate.delta.responses import STEP_S, traffic_at
from analysis.packets import PacketTable
from analysis.packets.table import COLUMNS as PACKET_COLUMNS

S = 10**9
T0 = 1_700_000_000 * S
EVERY_S = 60.0
CLOUD, GROUP = 0, 1
REMOTES = ("203.0.113.7", "224.0.0.251")


def table(at_s, size_b, remote=CLOUD, length_s=10_000.0):
    """Return packets from times in seconds; to the cloud over TLS unless told."""
    at_s = np.asarray(at_s, dtype=float)
    order = np.argsort(at_s, kind="stable")
    n = at_s.size
    columns = {name: np.zeros(n, dtype=kind) for name, kind in PACKET_COLUMNS.items()}
    columns["time_ns"] = T0 + (at_s[order] * S).astype(np.int64)
    columns["length_b"] = np.broadcast_to(size_b, n)[order].astype(np.uint32)
    columns["remote"] = np.broadcast_to(remote, n)[order].astype(np.int32)
    columns["protocol"] = np.where(columns["remote"] == CLOUD, 6, 17).astype(np.uint8)
    columns["dst_port"] = np.where(columns["remote"] == CLOUD, 443, 5353).astype(
        np.uint16
    )
    columns["outbound"][:] = True
    return PacketTable(
        device="lamp",
        remotes=REMOTES,
        covered_ns=((T0, T0 + int(length_s * S)),),
        **columns,
    )


def log(starts_s, activity="stream", sessions=8, outcome="confirmed"):
    blank = {name: "" if kind is str else 0 for name, (kind, _) in COLUMNS.items()}
    n = len(starts_s)
    rows = [
        blank
        | {
            "device": "lamp",
            "activity": activity,
            "trial": f"{i:04d}",
            "session": f"s{i * sessions // n}",
            "t_ns": T0 + int(at * S),
            "delta_ns": 10 * S,
            "outcome": outcome,
        }
        for i, at in enumerate(starts_s)
    ]
    return ActivityLog(path=None, frame=pl.DataFrame(rows))


def joined(*logs):
    return ActivityLog(path=None, frame=pl.concat([each.frame for each in logs]))


class House:
    """A device that answers for a while, among heartbeats, and where each run ended."""

    def __init__(self, rng, *, n=40, end_s=5.0, jitter=0.1, per_s=12, noise=True):
        self.starts = 100.0 + EVERY_S * np.arange(n) + rng.uniform(0, 5, n)
        self.ends = end_s * rng.lognormal(0, jitter, n)
        delays = rng.uniform(0.1, 0.6, n) * (end_s > 0)
        at, size = [], []
        for start, delay, end in zip(self.starts, delays, self.ends, strict=True):
            m = rng.poisson(per_s * (end - delay)) if end > delay else 0
            at.append(start + delay + np.sort(rng.random(m)) * (end - delay))
            size.append(rng.uniform(100, 400, m))
        self.length_s = self.starts[-1] + 60 + 600
        self.said = (np.concatenate(at), np.concatenate(size))
        noisy = _noise(rng, self.length_s) if noise else ((), (), ())
        remote = np.append(np.full(self.said[0].size, CLOUD), noisy[2])
        self.table = table(
            np.append(self.said[0], noisy[0]),
            np.append(self.said[1], noisy[1]),
            remote.astype(int),
            self.length_s,
        )
        self.log = log(self.starts)


def _noise(rng, length_s):
    """Heartbeats of 3 kB every 31 s in the same class, and loud multicast."""
    beats = np.arange(rng.uniform(0, 31), length_s, 31)
    beats = beats + rng.uniform(-2, 2, beats.size)
    chatter = np.sort(rng.uniform(0, length_s, int(length_s * 2)))
    return (
        np.concatenate((beats, chatter)),
        np.concatenate((np.full(beats.size, 3000), np.full(chatter.size, 900))),
        np.concatenate((np.full(beats.size, CLOUD), np.full(chatter.size, GROUP))),
    )


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def estimate(house, **options):
    return listen(house.table, house.log).estimates(**options).get("stream")


@pytest.mark.parametrize("end_s", [1.5, 5.0, 20.0, 33.0])
def test_the_end_of_an_answer_is_found_among_heartbeats_and_multicast(rng, end_s):
    found = estimate(House(rng, end_s=end_s))
    truth = 0.95 * end_s  # packets come evenly: 95 % of them by 95 % of the time
    assert found.low_s <= truth <= found.high_s
    assert found.delta_s == pytest.approx(truth, rel=0.1, abs=0.3)
    assert (found.n_trials, found.n_sessions) == (40, 8)
    assert not found.capped


def test_the_true_median_end_is_in_the_interval_in_nine_of_ten_houses():
    held = 0
    for seed in range(25):
        rng = np.random.default_rng(seed)
        end_s = rng.uniform(1.0, 15.0)
        house = House(rng, n=24, end_s=end_s, jitter=0.3)
        found = estimate(house)
        held += found.low_s <= 0.95 * end_s <= found.high_s
    assert held >= 23


def test_a_device_that_does_not_answer_has_no_delta(rng):
    for _ in range(5):
        assert estimate(House(rng, end_s=0.0)) is None


def test_a_silent_capture_has_no_delta():
    acts = log(np.arange(100, 1000, 60))
    assert listen(table([], []), acts).estimates() == {}


def test_without_any_silence_to_compare_with_the_end_is_found_all_the_same(rng):
    house = House(rng, noise=False)
    first, last = house.starts[0] - 0.5, house.starts[-1] + 10
    covered = (T0 + int(first * S), T0 + int(last * S))
    tight = PacketTable(
        device="lamp",
        remotes=REMOTES,
        covered_ns=(covered,),
        **{name: getattr(house.table, name) for name in PACKET_COLUMNS},
    )
    acts = house.log.frame.with_columns(delta_ns=pl.lit(60 * S))
    found = listen(tight, ActivityLog(path=None, frame=acts)).estimates()["stream"]
    assert found.low_s <= 0.95 * 5 <= found.high_s


def test_a_late_report_after_a_pause_belongs_to_the_answer(rng):
    house = House(rng, end_s=2.0, jitter=0.0)
    late = (house.starts[:, None] + 14 + rng.uniform(0, 1, (40, 12))).ravel()
    both = table(
        np.append(house.said[0], late),
        np.append(house.said[1], np.full(late.size, 250.0)),
        length_s=house.length_s,
    )
    found = listen(both, house.log).estimates()["stream"]
    assert 14 < found.delta_s < 15.2


def test_few_runs_have_no_delta(rng):
    assert estimate(House(rng, n=3, noise=False)) is None
    assert estimate(House(rng, n=6, noise=False)) is not None


def test_delta_stays_away_from_the_next_act_and_says_so(rng):
    house = House(rng, end_s=20.0)
    between = log(house.starts[:4] + 15, activity="stop")
    found = listen(house.table, joined(house.log, between)).estimates()["stream"]
    assert found.capped
    assert found.high_s == pytest.approx(0.8 * 15, abs=0.01)
    half = listen(house.table, joined(house.log, between), gap_share=0.5)
    assert half.estimates()["stream"].high_s == pytest.approx(7.5, abs=0.01)


def test_acts_without_effect_are_not_learnt_but_keep_silence_away(rng):
    house = House(rng)
    nothing = log(house.starts + 30, activity="stream", outcome="no_effect")
    found = listen(house.table, joined(house.log, nothing))
    assert len(found.followed()["stream"].rows) <= 40
    assert len(found.idle_ns()) < len(listen(house.table, house.log).idle_ns())


def test_what_may_not_be_learnt_changes_nothing(rng):
    house = House(rng, end_s=4.0)
    learn = np.arange(40) < 20
    one = listen(house.table, house.log).estimates(learn)["stream"]
    # the other half now answers for 25 s, and all of its silence is loud
    later = house.starts[20:, None] + rng.uniform(0, 55, (20, 3000))
    other = table(
        np.append(house.said[0], later.ravel()),
        np.append(house.said[1], np.full(later.size, 300.0)),
        length_s=house.length_s,
    )
    plain = table(*house.said, length_s=house.length_s)
    before = listen(plain, house.log).estimates(learn)["stream"]
    after = listen(other, house.log).estimates(learn)["stream"]
    assert after == before
    assert one.n_trials == before.n_trials == 20


def sides(rng):
    """Return a house of two activities, its log and which rows may be learnt from."""
    house = House(rng, n=80, end_s=4.0)
    frame = house.log.frame.with_columns(
        activity=pl.Series(np.where(np.arange(80) % 2, "stop", "stream"))
    )
    return house, frame, np.arange(80) < 40


def estimates_of(house, frame, learn):
    order = np.argsort(frame["t_ns"].to_numpy(), kind="stable")
    acts = ActivityLog(path=None, frame=frame[order])
    return listen(house.table, acts).estimates(learn[order])


def test_where_acts_of_the_test_side_are_changes_nothing_that_is_learnt(rng):
    house, frame, learn = sides(rng)
    before = estimates_of(house, frame, learn)
    assert sorted(before) == ["stop", "stream"]
    # all but the first, which says where the other side begins, move onto each other
    at_ns = frame["t_ns"].to_numpy().copy()
    at_ns[41:] = at_ns[40] + (1 + np.arange(39)) * S // 2
    moved = frame.with_columns(t_ns=pl.Series(at_ns))
    assert estimates_of(house, moved, learn) == before
    assert estimates_of(house, moved, np.ones(80, bool)) != before
    one_more = frame[41:42].with_columns(t_ns=pl.col("t_ns") + 4 * S)
    longer = pl.concat([frame, one_more.with_columns(trial=pl.lit("9999"))])
    assert estimates_of(house, longer, np.append(learn, False)) == before


def test_a_tested_act_soon_after_a_learnt_one_shortens_no_other_run(rng):
    house, frame, _learn = sides(rng)
    learn = np.arange(80) % 5 > 0  # rows of one session on both sides
    before = estimates_of(house, frame, learn)["stream"]
    at_ns = frame["t_ns"].to_numpy().copy()
    at_ns[5::10] = at_ns[4:79:10] + 3 * S  # a tested act soon after a learnt one
    moved = frame.with_columns(t_ns=pl.Series(at_ns))
    after = estimates_of(house, moved, learn)["stream"]
    assert not after.capped
    assert after.high_s == pytest.approx(before.high_s, rel=0.1)


def test_one_slip_among_many_acts_does_not_shorten_delta(rng):
    house = House(rng, end_s=20.0)
    slip = log(house.starts[:1] + 4, activity="stop")
    found = listen(house.table, joined(slip, house.log)).estimates()["stream"]
    assert not found.capped
    assert found.low_s <= 0.95 * 20 <= found.high_s


def test_the_same_seed_gives_the_same_interval(rng):
    house = House(rng, jitter=0.4)
    assert estimate(house, seed=3) == estimate(house, seed=3)


def test_counts_are_those_of_a_loop_over_packets(rng):
    made = House(rng, n=5).table
    starts = T0 + (np.array([90.0, 101.0, 165.3]) * S).astype(np.int64)
    found = traffic_at(made, starts, 7.0)
    kinds = made.destination
    for run, start in enumerate(starts):
        for kind in np.unique(kinds):
            want = np.zeros(70)
            for at, size, other in zip(made.time_ns, made.length_b, kinds, strict=True):
                step = int(at - start) // round(STEP_S * S)
                if other == kind and 0 <= step < 70:
                    want[step] += size
            assert found.bytes_b[run, kind].tolist() == want.tolist()
    assert found.packets.sum() == (found.bytes_b > 0).sum() or found.packets.max() > 1
