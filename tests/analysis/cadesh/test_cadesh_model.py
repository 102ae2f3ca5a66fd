import numpy as np
import pytest

from analysis.detectors.cadesh.detector import Choices
from analysis.detectors.cadesh.live import Watch
from analysis.detectors.cadesh.rows import home_of, rows_of
from analysis.detectors.cadesh.store import load, save
from analysis.errors import ModelError
from analysis.evaluate.flows import Split, measure, precision_at
from analysis.flows.records import TEXTS

OURS = "ours"


def test_a_kept_model_answers_to_the_bit(model, home, knocks, tmp_path):
    save(model, tmp_path / "m.npz")
    again = load(tmp_path / "m.npz")

    lab = home_of(home("lab", more=knocks), again.secret)
    before, after = (
        m.detector.score(rows_of(lab, list(m.pool.values()))) for m in (model, again)
    )

    assert np.array_equal(before.score, after.score)
    assert again.models == ("Speaker One",)
    with pytest.raises(ModelError, match="already"):
        save(model, tmp_path / "m.npz")


def test_what_is_no_model_is_refused(model, tmp_path):
    path = tmp_path / "m.npz"
    save(model, path)
    whole = path.read_bytes()
    np.savez(tmp_path / "pickled.npz", header=np.array([{}], dtype=object))

    packed = bytearray(whole)
    packed[200:260] = bytes(60)  # inside of what is packed
    for damaged in (whole[: len(whole) // 2], b"", b"PK\x03\x04", bytes(packed)):
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match="train it again"):
            load(path)
    with pytest.raises(ModelError, match="train it again"):
        load(tmp_path / "pickled.npz")
    with pytest.raises(ModelError, match="not there"):
        load(tmp_path / "none.npz")


@pytest.mark.parametrize(
    "change",
    [{"limit": np.nan}, {"limit_error": np.inf}, {"choices": Choices(least=0)}],
)
def test_a_model_that_would_never_alarm_is_refused(model, tmp_path, change):
    for name, value in change.items():
        setattr(model.detector, name, value)
    save(model, tmp_path / "m.npz")

    with pytest.raises(ModelError, match="train it again"):
        load(tmp_path / "m.npz")


def test_flows_that_come_one_by_one_score_as_all_at_once(model, home, knocks):
    again = [(d * 86_400, "own.skill.example", "198.18.5.5", 443, 9, 9) for d in (0, 8)]
    flows = home("lab", days=9, more=[*knocks, *again])
    lab = home_of(flows, "ours")
    whole = model.detector.score(rows_of(lab, list(model.pool.values())))

    start = len(flows) // 2
    watch = Watch(model=model, past=flows.take(slice(0, start)))
    scores = [
        scored.score
        for first in range(start, len(flows), 150)
        for _, scored in watch.told(flows.take(slice(first, first + 150)))
    ]

    assert np.allclose(np.concatenate(scores), whole.score[start:])
    assert len(watch.past) < len(flows) // 4  # most of the past does not count


def test_a_home_of_the_pool_is_not_compared_with_itself(model, home):
    flows = home("a")
    others = [tables for name, tables in model.pool.items() if name != "a"]
    beside = model.detector.score(rows_of(home_of(flows, OURS), others))

    watch = Watch(model=model, past=flows.take(slice(0, 0)))
    ((_, scored),) = watch.told(flows)

    assert np.array_equal(scored.score, beside.score)


def test_a_watch_forgets_what_is_too_old(model, home):
    ways = [(k, f"s{k}.example", f"198.18.1.{k}", 443, 9, 9) for k in range(200)]
    past = home("lab", days=1, more=ways)
    watch = Watch(model=model, past=past, most=50)
    list(watch.told(home("lab", days=1)))

    assert len(watch.past) == 50
    assert max(len(getattr(watch.past, name).names) for name in TEXTS) <= 50


def test_figures_of_a_perfect_and_a_blind_detector():
    cause = np.array(["benign"] * 98 + ["scan", "mine"], dtype=object)
    score = np.append(np.linspace(0, 0.5, 98), [2.0, 3.0])

    good = measure(score, score > 1, cause, lasts_s=7 * 86_400.0)
    blind = measure(-score, score < 0, cause, lasts_s=7 * 86_400.0)

    assert (good.macro_auprc, good.f1, good.fpr) == (1.0, 1.0, 0.0)
    assert good.auprc == {"mine": 1.0, "scan": 1.0}
    assert blind.macro_auprc < 0.02
    assert blind.recall_all == 0.0
    assert precision_at(0.01, 0.95, 0.005) == pytest.approx(0.6574, abs=1e-4)
    assert blind.record()["precision"] is None


def test_what_is_asked_comes_after_what_is_learnt(home):
    flows = home_of(home("a", days=6))
    rows = rows_of(flows, [])
    split = Split(start_ns=int(flows.flows.start_ns[0]), warm_up=1, until=3, end=5)

    assert split.learnt(rows).start_ns.max() < split.asked(rows).start_ns.min()
    assert len(split.asked(rows)) == split.is_asked(rows).sum()
