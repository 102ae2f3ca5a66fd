"""Planted leaks are caught, each by its canary, and a sound campaign raises none."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from analysis.evaluate.samples import Samples
from analysis.evaluate.scores.chance import matched_by_chance, null_labels, null_of
from analysis.evaluate.splits.folds import Fold, Split
from analysis.evaluate.splits.named import SPLITS
from analysis.evaluate.trust.canaries import Canary, canaries_of, copied
from testbed.cli.score_tables import print_canaries

S = 10**9


def trials(n_sessions=8, repeats=8, seed=0):
    """Make sound trials: three activities in random order, one after the other."""
    rng = np.random.default_rng(seed)
    kind = np.concatenate(
        [rng.permutation(np.repeat(np.arange(3), repeats)) for _ in range(n_sessions)]
    )
    n = kind.size
    session = np.repeat(np.arange(n_sessions), 3 * repeats)
    x = rng.normal(size=(n, 6))
    x[:, :3] += 4 * np.eye(3)[kind]
    return Samples(
        device="echo_dot",
        names=tuple("abcdef"),
        x=x,
        activity=np.array([f"activity_{k}" for k in kind]),
        session=np.array([f"s{i}" for i in session]),
        trial=np.array([f"{i:04d}" for i in range(n)]),
        start_ns=(np.arange(n) * 40 + session * 86_400) * S,
        n_packets=np.full(n, 9),
        channel=np.full(n, "phone"),
        length_ns=np.full(n, 10 * S) + rng.integers(0, S, n),
    )


def by_name(samples, split, seed=0):
    made = SPLITS[split].split(samples, seed)
    return {c.name: c for c in canaries_of(samples, made, seed)}


def rows_at_random(samples):
    """Split rows whatever they are, as a careless evaluation does."""
    order = np.random.default_rng(0).permutation(len(samples))
    fold = Fold(train=order[: 3 * order.size // 4], test=order[3 * order.size // 4 :])
    return Split(
        name="s0_holdout",
        title="",
        description="",
        leaky=True,
        folds=(fold,),
        digest="",
    )


@pytest.mark.parametrize("split", ["s0_holdout", "s1", "s2"])
def test_a_sound_campaign_raises_no_canary(split):
    found = by_name(trials(), split)
    assert [name for name, canary in found.items() if canary.sound is False] == []


def test_a_feature_that_is_the_time_is_caught_by_its_name():
    rows = trials()
    rng = np.random.default_rng(3)
    clock = rows.start_ns / 1e9 + rng.normal(0, 60, len(rows))
    leaky = replace(rows, x=np.column_stack((rows.x, clock)), names=(*rows.names, "t"))
    found = by_name(leaky, "s1")["clock"]
    assert found.sound is False
    assert found.note.startswith("t ")


def test_a_feature_that_is_the_time_since_the_session_began_is_caught():
    rows = trials(repeats=12)
    place = np.arange(len(rows)) % 36.0
    leaky = replace(rows, x=np.column_stack((rows.x, place)), names=(*rows.names, "t"))
    assert by_name(leaky, "s1")["clock"].sound is False


def test_activities_in_blocks_are_caught_under_random_rows_and_not_under_sessions():
    rows = trials()
    order = np.concatenate(
        [
            np.flatnonzero(rows.session == s)[
                np.argsort(rows.activity[rows.session == s])
            ]
            for s in rows.sessions()
        ]
    )
    blocks = replace(rows, activity=rows.activity[order], x=rows.x[order])
    assert by_name(blocks, "s0_holdout")["time_only"].sound is False
    mixed = by_name(rows, "s0_holdout")["time_only"]
    assert mixed.sound is True
    assert mixed.value < 0.5


def test_windows_whose_length_names_their_activity_are_caught():
    rows = trials()
    of = {"activity_0": 8, "activity_1": 25, "activity_2": 40}
    length = np.array([of[a] * S for a in rows.activity])
    assert by_name(replace(rows, length_ns=length), "s1")["length_only"].sound is False


def test_what_is_above_its_limit_by_luck_maybe_is_no_leak_and_not_sure():
    rows = trials()
    of = {"activity_0": 8, "activity_1": 25, "activity_2": 40}
    length = np.array([of[a] * S for a in rows.activity])
    told = by_name(replace(rows, length_ns=length), "s1")["length_only"]
    assert not told.unsure  # a leak for sure
    few = replace(told, value=0.583, limit=0.4, sound=True)
    assert few.unsure
    assert not replace(few, value=0.4).unsure
    assert not replace(few, value=None).unsure
    assert not replace(few, limit=None, sound=None).unsure


@pytest.mark.parametrize("sound", [True, False])
def test_a_canary_above_its_limit_is_told_whether_or_not_it_is_luck(capsys, sound):
    high = Canary(name="length_only", value=0.583, limit=0.4, sound=sound, note="long")
    low = Canary(name="copies", value=0.0, limit=0.0, sound=True)
    print_canaries([SimpleNamespace(device="tv", canaries={"s2": (high, low)})])
    lines = capsys.readouterr().out.splitlines()[1:]
    doubt = ", above its limit, too few trials to be sure" if sound else ""
    assert lines == [
        "canaries: 1 of 2 found no leak",
        f"tv, s2: length_only 0.58, more than 0.40{doubt}: long",
        "a leak is above its limit, and by more than luck would make of it",
        "length_only: with `--window longest` all windows are of one length",
    ]
    print_canaries([SimpleNamespace(device="tv", canaries={"s2": (low,)})])
    assert capsys.readouterr().out == "\ncanaries: 1 of 1 found no leak\n"


def test_a_delay_that_names_the_activity_is_told_and_not_judged():
    rows = trials()
    assert "delay_only" not in by_name(rows, "s1")
    heard_s = np.array([{"0": 1.9, "1": 2.1, "2": 2.5}[a[-1]] for a in rows.activity])
    x, names = np.column_stack((rows.x, heard_s)), (*rows.names, "out_delay_s")
    found = by_name(replace(rows, x=x, names=names), "s1")["delay_only"]
    assert found.value == 1.0
    assert found.sound is None


def resampled(rows, times=5):
    """Draw each window again and again, as some published pipelines do."""
    rng = np.random.default_rng(1)
    again = np.repeat(np.arange(len(rows)), times)
    return replace(
        rows,
        x=rows.x[again] + rng.normal(0, 0.05, (again.size, rows.x.shape[1])),
        activity=rows.activity[again],
        session=rows.session[again],
        trial=np.array([f"{rows.trial[i]}-{n}" for n, i in enumerate(again)]),
        start_ns=rows.start_ns[again],
        n_packets=rows.n_packets[again],
        channel=rows.channel[again],
        length_ns=rows.length_ns[again],
        **{
            name: np.zeros(0, np.str_)
            for name in ("unit", "home", "network", "user", "day", "recording")
        },
    )


def test_a_row_split_of_resampled_windows_is_caught():
    rows = resampled(trials(n_sessions=4))
    found = {c.name: c for c in canaries_of(rows, rows_at_random(rows), 0)}
    assert found["shared_time"].sound is False
    assert found["shared_time"].value > 0.9 * len(rows) / 4
    assert by_name(rows, "s1")["shared_time"].sound is True


def test_rows_that_are_on_both_sides_are_counted():
    rows = trials(n_sessions=2)
    x = rows.x.copy()
    x[40] = x[3]
    twice = replace(rows, x=x)
    fold = Fold(train=np.arange(24), test=np.arange(24, 48))
    split = replace(rows_at_random(rows), folds=(fold,), leaky=False)
    found = {c.name: c for c in canaries_of(twice, split, 0)}
    assert (found["copies"].value, found["copies"].sound) == (1.0, False)
    assert found["both_sides"].sound is True


def test_a_session_on_both_sides_is_counted_where_it_must_not_be():
    rows = trials(n_sessions=2)
    split = replace(rows_at_random(rows), leaky=False)
    found = {c.name: c for c in canaries_of(rows, split, 0)}
    assert (found["both_sides"].value, found["both_sides"].sound) == (2.0, False)


def test_a_payload_that_was_learnt_is_counted_and_silence_is_not():
    said = [("on",), ("off",), ("on",), None, None, ("dim 20",)]
    fold = Fold(train=np.array([0, 1, 3]), test=np.array([2, 4, 5]))
    assert copied(said, [fold]) == 1


def test_sides_that_differ_are_told_apart():
    rows = trials(n_sessions=10)
    test = np.concatenate([f.test for f in SPLITS["s1"].split(rows, 0).folds[:1]])
    x = rows.x.copy()
    moved = np.isin(rows.session, np.unique(rows.session[test]))
    x[moved, 4] += 6
    split = SPLITS["s1"].split(replace(rows, x=x), 0)
    one = replace(split, folds=split.folds[:1])
    found = {c.name: c for c in canaries_of(replace(rows, x=x), one, 0)}
    assert found["adversarial"].sound is False
    assert found["adversarial"].value > 0.9
    assert by_name(rows, "s1")["adversarial"].sound is True


def test_what_chance_gives_is_what_shuffling_gives():
    rng = np.random.default_rng(5)
    truth = rng.choice(["a", "b", "c"], 60, p=[0.6, 0.3, 0.1])
    said = rng.choice(["a", "b", "d"], 60, p=[0.5, 0.3, 0.2])
    stratum = np.repeat([0, 1, 2], [10, 49, 1])
    drawn = []
    for _ in range(4000):
        shuffled = truth.copy()
        for each in range(3):
            here = np.flatnonzero(stratum == each)
            shuffled[here] = truth[rng.permutation(here)]
        drawn.append((shuffled == said).mean())
    interval = matched_by_chance(truth, said, stratum)
    assert interval.low <= np.quantile(drawn, 0.0005)
    assert interval.high >= np.quantile(drawn, 0.9995)
    assert interval.high - interval.low < 9 * np.std(drawn)


def test_a_null_that_knows_the_labels_is_not_by_chance():
    rows = trials()
    split = SPLITS["s1"].split(rows, 0)
    labels = null_labels(rows, split, 0)
    test = np.concatenate([f.test for f in split.folds])
    assert not null_of(rows, split.folds, labels, labels[test]).by_chance
    guess = np.random.default_rng(0).permutation(labels[test])
    assert null_of(rows, split.folds, labels, guess).by_chance
