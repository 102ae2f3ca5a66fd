"""The parts of the fusion, each against a slow twin, and what it does with sessions."""

from collections import Counter

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression

from analysis.classifiers import fusion as module
from analysis.classifiers import linear, tokens
from analysis.classifiers.folds import dealt
from analysis.classifiers.fusion import Fusion
from analysis.features.sequence import BLOCKS, LENGTHS, n_columns

SINGLES = BLOCKS["unigrams"].stop


def counts(k=40, per_row=25, seed=1, width=SINGLES):
    rng = np.random.default_rng(seed)
    column = rng.integers(0, 3 * LENGTHS, (k, per_row))
    cells = np.ones(column.size), (np.repeat(np.arange(k), per_row), column.ravel())
    made = csr_array(cells, shape=(k, width))
    made.sum_duplicates()
    return made


def test_coarse_bins_keep_class_and_direction_and_lose_no_packet():
    made = counts()
    before = made.copy()
    bins = tokens.coarse(made).toarray()
    assert (made != before).nnz == 0
    for row, line in zip(bins, made.toarray(), strict=True):
        want = Counter()
        for column in np.flatnonzero(line):
            place, size = divmod(column, LENGTHS)
            want[place * (LENGTHS // 16) + size // 16] += line[column]
            wide = place * (LENGTHS // 64) + size // 64
            want[SINGLES // 16 + wide] += line[column]
        assert {i: row[i] for i in np.flatnonzero(row)} == want


def test_picked_columns_are_those_of_the_whole_matrix():
    made = counts(width=n_columns())
    rng = np.random.default_rng(3)
    columns = np.unique(rng.integers(0, 3 * LENGTHS, 900))
    got = tokens.picked(made, columns)
    assert np.array_equal(got.toarray(), made.toarray()[:, columns])
    assert tokens.picked(made, columns[:0]).shape == (40, 0)


def test_a_matrix_is_split_into_statistics_and_sequence():
    made = counts(width=n_columns())
    first, rest = tokens.split(made, 700)
    assert np.array_equal(first, made.toarray()[:, :700])
    assert np.array_equal(rest.toarray(), made.toarray()[:, 700:])


def test_common_columns_are_in_rows_enough_and_the_commonest_where_there_is_no_room():
    made = csr_array([[1, 0, 5, 1], [1, 0, 0, 1], [1, 2, 0, 0]])
    assert tokens.common(made, 2, 9).tolist() == [0, 3]
    assert tokens.common(made, 1, 9).tolist() == [0, 1, 2, 3]
    assert tokens.common(made, 1, 1).tolist() == [0]


def test_weighted_rows_have_length_one_and_empty_ones_stay_empty():
    made = csr_array([[1.0, 4.0], [0.0, 0.0]])
    got = tokens.weighted(made, np.array([2.0, 1.0])).toarray()
    row = np.array([2.0, 1 + np.log(4)])
    assert got[0] == pytest.approx(row / np.linalg.norm(row))
    assert got[1].tolist() == [0, 0]


@pytest.mark.parametrize("n_classes", [2, 4])
def test_few_rows_give_the_weights_that_a_plain_fit_finds(n_classes):
    size = np.linspace(0.2, 3.0, 40)  # of rows, so that none is like another
    made = tokens.weighted(counts(), tokens.rarity(counts())).multiply(size[:, None])
    made = csr_array(made)
    y = np.arange(40) % n_classes
    weights, intercept = linear.fit_linear(made, y, n_classes, 5.0)
    plain = LogisticRegression(C=5.0, tol=1e-8, max_iter=3000).fit(made, y)
    new = tokens.weighted(counts(seed=7), np.ones(SINGLES))
    got = linear.softmax(new @ weights + intercept)
    assert got == pytest.approx(plain.predict_proba(new), abs=0.01)


ONE_EACH = [f"s{i // 20}" for i in range(60)]


@pytest.mark.parametrize("groups", [None, ["one"] * 60, ONE_EACH])
def test_rows_are_held_out_evenly_where_sessions_would_take_a_class_along(groups):
    y = np.repeat([0, 1, 2], 20)
    folds = dealt(y, groups, 3, seed=1)
    table = [np.bincount(folds[y == each]).tolist() for each in range(3)]
    assert all(max(each) - min(each) <= 1 for each in table)


def test_a_session_is_held_out_whole():
    session = np.repeat([f"s{i}" for i in range(7)], [30, 4, 4, 4, 4, 4, 10])
    folds = dealt(np.arange(60) % 2, session, 3, seed=1)
    for name in np.unique(session):
        assert np.unique(folds[session == name]).size == 1
    assert sorted(np.bincount(folds).tolist()) == [12, 18, 30]


def rows(n=36, seed=1):
    """Return windows of which the sequence tells the activity and nothing else."""
    rng = np.random.default_rng(seed)
    kind = np.arange(n) % 3
    size = rng.integers(100, 130, (n, 12)) + 200 * kind[:, None]
    cells = np.ones(size.size), (np.repeat(np.arange(n), 12), 5 + size.ravel())
    x = csr_array(cells, shape=(n, 5 + n_columns()))
    x = x + csr_array((rng.normal(size=n), (np.arange(n), np.zeros(n, int))), x.shape)
    return x.tocsr(), np.array(["idle", "turn_off", "turn_on"])[kind]


def test_what_only_the_sequence_tells_is_learnt():
    x, y = rows()
    learnt = Fusion(5, n_trees=10, random_state=0).fit(x[:24], y[:24])
    assert (learnt.predict(x[24:]) == y[24:]).mean() == 1


def test_sparse_and_dense_input_give_the_same_answers():
    x, y = rows(n=12)
    thin = Fusion(5, n_trees=4, calibrated=False, random_state=0).fit(x, y)
    thick = Fusion(5, n_trees=4, calibrated=False, random_state=0).fit(x.toarray(), y)
    assert np.array_equal(thin.predict_proba(x), thick.predict_proba(x.toarray()))


def test_many_rows_are_answered_in_blocks_with_the_same_result(monkeypatch):
    x, y = rows()
    learnt = Fusion(5, n_trees=4, calibrated=False, random_state=0).fit(x, y)
    want = learnt.predict_proba(x)
    monkeypatch.setattr(module, "_BLOCK", 5)
    assert learnt.predict_proba(x) == pytest.approx(want, abs=1e-12)


def test_the_temperature_is_found_on_sessions_that_were_not_learnt(monkeypatch):
    x, y = rows()
    x[:, [0]] = csr_array(np.repeat(np.arange(1.0, 7.0), 6)[:, None])
    learn, learnt = Fusion._learn, []

    def watched(self, part, code, n_trees, seed):
        learnt.append(Counter(part.statistics[:, 0].tolist()))
        return learn(self, part, code, n_trees, seed)

    monkeypatch.setattr(Fusion, "_learn", watched)
    session = np.repeat([f"s{i}" for i in range(6)], 6)
    Fusion(5, n_trees=2, random_state=0).fit(x, y, groups=session)
    assert [len(each) for each in learnt] == [6, 4, 4, 4]
    assert all(set(each.values()) == {6} for each in learnt)


def test_windows_of_nothing_but_new_lengths_and_empty_ones_are_answered():
    x, y = rows()
    learnt = Fusion(5, n_trees=4, random_state=0).fit(x, y)
    strange = csr_array(([3.0], ([0], [5 + 1999])), shape=(2, x.shape[1]))
    shares = learnt.predict_proba(strange)
    assert np.isfinite(shares).all()
    assert shares.sum(axis=1) == pytest.approx(1)


def test_counts_below_zero_and_too_few_columns_are_refused():
    x, y = rows(n=12)
    with pytest.raises(ValueError, match="Negative"):
        Fusion(5, n_trees=2).fit(-x, y)
    with pytest.raises(ValueError, match="columns"):
        Fusion(50, n_trees=2).fit(x[:, :20], y)


def test_what_only_a_threshold_of_one_statistic_tells_is_learnt_beside_random_lengths():
    rng = np.random.default_rng(3)
    n, width = 240, 5 + n_columns()
    x = rng.normal(size=(n, 5))
    kind = np.digitize(x[:, 2], (-0.5, 0.5))
    size = rng.integers(100, 1400, (n, 12))
    row = np.repeat(np.arange(n), 12)
    cells = np.ones(row.size), (row, 5 + size.ravel())
    whole = csr_array(cells, shape=(n, width)) + csr_array(
        (x.ravel(), (np.repeat(np.arange(n), 5), np.tile(np.arange(5), n))),
        shape=(n, width),
    )
    learnt = Fusion(5, n_trees=40, random_state=0).fit(whole[:160].tocsr(), kind[:160])
    assert learnt.part_weights_[1] > 0.5
    assert (learnt.predict(whole[160:].tocsr()) == kind[160:]).mean() > 0.9
