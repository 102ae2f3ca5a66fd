from dataclasses import replace

import numpy as np
import pytest

from analysis.evaluate.samples import Samples
from tests.bench.twin_page import _verdict, filled
from tests.bench.twin_scores import Fold, copies


def samples(x, activity):
    k = len(activity)
    texts = np.array([str(i) for i in range(k)])
    return Samples(
        device="lamp",
        names=("a_b", "b_b", "both_delay_s"),
        x=x,
        activity=np.array(activity),
        session=texts,
        trial=texts,
        start_ns=np.arange(k),
        n_packets=np.ones(k, dtype=np.int64),
        channel=np.full(k, "phone"),
    )


@pytest.fixture
def parted():
    """Return a source of two halves, and a function: samples as the twin of A."""
    rng = np.random.default_rng(0)
    names = ["on", "off"] * 40
    source = samples(rng.normal(size=(80, 3)), names)
    a, b = np.arange(40), np.arange(40, 80)

    def fold(x):
        twin = samples(x, names[: len(x)])
        return source, [
            Fold(side=0, seed=0, a=a, b=b, twin_a=twin, onto_a=a, onto=twin)
        ]

    return fold, source.x[a], rng


def test_a_twin_that_copies_is_seen_to_be_nearer_and_a_fair_one_is_not(parted):
    fold, known, rng = parted
    copied = copies(*fold(known + rng.normal(0, 0.01, known.shape)))
    assert copied["p_twin_nearer"] < 1e-6
    assert copied["p_by_activity"] < 1e-6
    assert copied["nearer_than_any_held_out"] > 0.5
    fair = copies(*fold(rng.normal(size=(40, 3))))
    assert fair["p_twin_nearer"] > 0.05
    assert 0.35 < fair["auc"] < 0.65


def test_a_twin_that_plays_more_of_what_is_alike_is_nearer_but_not_by_activity(parted):
    fold, _known, rng = parted
    apart = np.where(np.arange(40) % 2, 0.1, 3.0)[:, None]
    source, folds = fold(rng.normal(size=(40, 3)) * apart)
    source = replace(source, x=rng.normal(size=(80, 3)) * np.tile(apart, (2, 1)))
    x = rng.normal(size=(400, 3)) * 0.1
    alike = samples(
        np.vstack((folds[0].twin_a.x, x)), ["on", "off"] * 20 + ["off"] * 400
    )
    found = copies(source, [replace(folds[0], twin_a=alike)])
    assert found["auc"] < 0.4
    assert 0.35 < found["auc_by_activity"] < 0.65
    assert found["p_by_activity"] > 0.05


@pytest.mark.parametrize(
    ("points", "interval", "said"),
    [
        (1.0, (-2.0, 4.0), "met"),
        (4.0, (-2.0, 9.0), "met, not certain"),
        (7.0, (2.0, 9.0), "missed, not certain"),
        (9.0, (6.0, 12.0), "missed"),
    ],
)
def test_the_bar_is_met_by_the_figure_and_certain_by_the_interval(
    points, interval, said
):
    assert _verdict({"points": points, "interval": interval}) == said


def test_a_page_has_one_place_for_the_tables_of_a_source():
    page = "<!-- lab -->\nold\n<!-- /lab -->\n"
    assert filled(page, {"lab": "new"}) == "<!-- lab -->\nnew\n<!-- /lab -->\n"
    with pytest.raises(ValueError, match="one place for vcfp, not 0"):
        filled(page, {"vcfp": "new"})
