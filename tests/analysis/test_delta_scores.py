from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from analysis.dataset import COLUMNS, ActivityLog
from analysis.evaluate.campaign import all_classifiers
from analysis.evaluate.delta.estimate import DeltaEstimate
from analysis.evaluate.delta.heard import listen
from analysis.evaluate.delta.rules import DeltaRule, deltas_by, make_room, shared
from analysis.evaluate.delta.scores import room_for, score_rules, score_seconds
from analysis.evaluate.splits.folds import SplitRefusedError
from analysis.packets import PacketTable, clean
from analysis.packets.table import COLUMNS as PACKET_COLUMNS
from analysis.windows import IDLE_ACTIVITY

S = 10**9
T0 = 1_700_000_000 * S
N, SESSIONS = 24, 4
SAYS = {"short": (3.0, 300), "long": (12.0, 300)}  # how long, and sizes
GIVEN_S = 20.0


@pytest.fixture(scope="module")
def house():
    """Two activities that differ in nothing but how long the answer goes on."""
    rng = np.random.default_rng(3)
    at, starts, names = [], [], []
    now = 60.0
    for i in range(N):
        name = list(SAYS)[i % 2]
        length, _size = SAYS[name]
        at.append(now + np.sort(rng.uniform(0, length, int(20 * length))))
        starts.append(now)
        names.append(name)
        now += rng.uniform(55, 65)
    time_ns = T0 + (np.concatenate(at) * S).astype(np.int64)
    n = time_ns.size
    columns = {name: np.zeros(n, dtype=kind) for name, kind in PACKET_COLUMNS.items()}
    columns |= {
        "time_ns": time_ns,
        "length_b": np.full(n, 300, dtype=np.uint32),
        "protocol": np.full(n, 6, dtype=np.uint8),
        "dst_port": np.full(n, 443, dtype=np.uint16),
        "outbound": rng.random(n) < 0.5,
    }
    table = PacketTable(
        device="lamp",
        remotes=("203.0.113.7",),
        covered_ns=((T0, T0 + int((now + 900) * S)),),
        **columns,
    )
    cleaned = clean(table, ())
    return cleaned, log(starts, names)


def log(starts, names, outcome="confirmed"):
    blank = {name: "" if kind is str else 0 for name, (kind, _) in COLUMNS.items()}
    rows = [
        blank
        | {
            "device": "lamp",
            "activity": name,
            "trial": f"{i:04d}",
            "attempt": 1,
            "session": f"s{i * SESSIONS // len(starts)}",
            "t_ns": T0 + int(start * S),
            "t_uncertainty_ns": 10_000_000,
            "delta_ns": int(GIVEN_S * S),
            "outcome": outcome,
        }
        for i, (start, name) in enumerate(zip(starts, names, strict=True))
    ]
    return ActivityLog(path=None, frame=pl.DataFrame(rows))


def room_of(house, **options):
    cleaned, acts = house
    return room_for(cleaned, acts, listen(cleaned.table, acts), n_idle=8, **options)


def estimate(name, low, high):
    middle = (low + high) / 2
    return DeltaEstimate(
        activity=name,
        delta_s=middle,
        low_s=low,
        high_s=high,
        n_trials=20,
        n_sessions=4,
    )


def test_windows_have_the_lengths_that_were_asked_for(house):
    room = room_of(house)
    made = room.shaped({"short": 2.5, "long": 11.0}).windows
    length_s = (made.end_ns - made.start_ns) / 1e9 - room.slack_s
    for name, want in (("short", 2.5), ("long", 11.0)):
        assert length_s[made.activity == name] == pytest.approx(want)
    assert set(np.round(length_s[made.activity == IDLE_ACTIVITY], 6)) <= {2.5, 11.0}
    table = room.made.cleaned.table
    for row in range(len(made)):
        held = (table.time_ns >= made.start_ns[row]) & (
            table.time_ns < made.end_ns[row]
        )
        assert np.flatnonzero(held).tolist() == list(
            range(made.first[row], made.last[row])
        )


def test_trials_that_the_next_act_cuts_short_are_left_out_of_every_rule(house):
    cleaned, acts = house
    soon = acts.frame["t_ns"][4] / 1e9 - T0 / 1e9 + 9.0
    more = log([soon], ["short"], outcome="no_effect")
    both = ActivityLog(
        path=None,
        frame=pl.concat(
            [acts.frame, more.frame.with_columns(attempt=pl.lit(2, pl.Int64))]
        ),
    )
    room = make_room(cleaned, both, listen(cleaned.table, both), GIVEN_S)
    assert room.n_cut == 1
    assert len(room.made.windows) == N - 1


def test_activities_share_delta_when_the_profile_and_what_is_learnt_agree():
    given_s = {"a": 10.0, "b": 10.0, "c": 10.0, "d": 20.0}
    found = {
        "a": estimate("a", 4, 6),
        "b": estimate("b", 5, 8),
        "c": estimate("c", 7, 9),
        "d": estimate("d", 4, 6),
    }
    # c overlaps with b, but has no length in common with a
    assert shared(found, given_s) == (("a", "b"), ("c",), ("d",))
    assert deltas_by(DeltaRule.GROUP, found, given_s) == {
        "a": 8,
        "b": 8,
        "c": 9,
        "d": 6,
    }
    assert deltas_by(DeltaRule.ESTIMATED, found, given_s)["a"] == 6
    assert set(deltas_by(DeltaRule.LONGEST, found, given_s).values()) == {9}
    assert deltas_by(DeltaRule.PROFILE, found, given_s) == given_s


def test_an_activity_without_an_answer_keeps_what_the_profile_says():
    given_s = {"a": 10.0, "off": 8.0}
    found = {"a": estimate("a", 4, 6)}
    assert deltas_by(DeltaRule.ESTIMATED, found, given_s)["off"] == 8.0
    assert deltas_by(DeltaRule.LONGEST, {}, given_s) == {"a": 10.0, "off": 10.0}


def test_accuracy_rises_with_delta_until_the_answers_can_be_told_apart(house):
    room = room_of(house)
    forest = (all_classifiers()["naive_bayes"],)
    points = score_seconds(room, forest, "s1", (1.0, 10.0))
    assert points[0].accuracy < 0.8  # so far, both say the same
    assert points[1].accuracy > 0.9
    for each in points:
        assert each.length_only == pytest.approx(
            0.5
        )  # no idle window is in two sessions
        assert each.seconds in (1.0, 10.0)


def test_windows_as_long_as_their_activity_give_it_away_and_equal_ones_do_not(house):
    found = {
        s.rule: s
        for s in score_rules(room_of(house), (all_classifiers()["naive_bayes"],), "s1")
    }
    assert found["estimated"].length_only > 0.7
    assert found["longest"].length_only == 0.5
    assert found["longest"].accuracy > 0.9
    assert found["estimated"].seconds < found["longest"].seconds
    assert found["profile"].seconds == pytest.approx(GIVEN_S)


def test_delta_of_a_fold_is_learnt_from_its_training_alone(house):
    cleaned, acts = house
    room = room_of(house)
    tested = room.made.windows.session == "s3"
    # the last session now answers three times as long; the others do not
    time_ns = cleaned.table.time_ns
    first = acts.frame.filter(pl.col("session") == "s3")["t_ns"].min()
    late = time_ns >= first
    starts = acts.frame["t_ns"].to_numpy()
    before = starts[np.searchsorted(starts, time_ns[late], side="right") - 1]
    moved = time_ns.copy()
    moved[late] = before + 3 * (time_ns[late] - before)
    order = np.argsort(moved, kind="stable")
    other = replace(
        cleaned.table.take(order), time_ns=moved[order]
    )  # capture order does not matter here
    learn = np.isin(acts.frame["session"].to_numpy(), ["s0", "s1", "s2"])
    one = listen(cleaned.table, acts).estimates(learn)
    two = listen(other, acts).estimates(learn)
    assert tested.any()
    assert one == two
    assert listen(other, acts).estimates() != listen(cleaned.table, acts).estimates()


def test_the_same_seed_gives_the_same_scores(house):
    forest = (all_classifiers()["naive_bayes"],)
    one, two = (score_seconds(room_of(house), forest, "s1", (2.0,)) for _ in "ab")
    assert one == two


def test_one_session_is_refused_in_words(house):
    cleaned, acts = house
    single = ActivityLog(
        path=None, frame=acts.frame.with_columns(session=pl.lit("only"))
    )
    room = room_for(cleaned, single, listen(cleaned.table, single))
    with pytest.raises(SplitRefusedError, match="one session only"):
        score_rules(room, (all_classifiers()["naive_bayes"],), "s1")
