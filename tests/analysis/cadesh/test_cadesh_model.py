import json
import sys

import numpy as np
import pytest

from analysis.detectors.cadesh.detector import Choices, FlowDetector
from analysis.detectors.cadesh.live import Watch
from analysis.detectors.cadesh.rows import home_of, rows_of, rows_of_all
from analysis.detectors.cadesh.store import FlowModel, load, save
from analysis.errors import ModelError
from analysis.evaluate.flows import Split, measure, precision_at
from analysis.flows import FlowRecords, write_flows
from analysis.flows.records import TEXTS
from testbed.cli import flows_detect, main

OURS = "ours"


@pytest.fixture
def run(monkeypatch):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["testbed", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0

    return call


@pytest.fixture
def model(home):
    homes = {name: home_of(home(name), "ours") for name in ("a", "b", "c")}
    learnt = FlowDetector(Choices(epochs=3, sample=600)).fit(rows_of_all(homes))
    return FlowModel(
        detector=learnt,
        pool={name: each.tables for name, each in homes.items()},
        secret=OURS,
        models=("Speaker One",),
    )


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


def test_flows_train_and_detect_tell_of_the_attack(home, knocks, tmp_path, run, capsys):
    for name in ("a", "b", "c"):
        write_flows(tmp_path / f"home={name}" / "flows.parquet", home(name))
    write_flows(tmp_path / "home=lab" / "flows.parquet", home("lab", more=knocks))
    out = str(tmp_path / "m.npz")
    assert run("flows", "train", tmp_path, "--out", out) == 2  # cut short, it may be
    assert "homes.json: is not there" in capsys.readouterr().err
    about = {"homes": [{"name": name} for name in ("a", "b", "c", "lab")]}
    (tmp_path / "homes.json").write_text(json.dumps(about), encoding="utf-8")

    assert run("flows", "train", tmp_path, "--without", "lab", "--out", out) == 0
    told = capsys.readouterr()
    assert "3 homes" in told.out
    assert "a pool of 3 homes misses most attacks" in told.err
    asked = str(tmp_path / "home=lab" / "flows.parquet")
    assert run("flows", "detect", out, asked, "--exit-code") == 1

    told = capsys.readouterr()
    assert told.out.count(":23,") > 50
    assert "neither frequent nor known in the pool" in told.out
    assert "alarms" in told.err


def test_a_pool_that_goes_on_finds_frequent_what_a_kept_one_does_not(
    model, home, tmp_path, run, capsys
):
    save(model, tmp_path / "m.npz")
    for name in ("a", "b", "c", "lab"):
        write_flows(tmp_path / f"{name}.parquet", home(name, days=8))
    pool = [w for n in ("a", "b", "c") for w in ("--pool", tmp_path / f"{n}.parquet")]

    rare = []
    for more in ((), pool):
        asked = (tmp_path / "m.npz", tmp_path / "lab.parquet", *more)
        assert run("flows", "detect", *asked) == 0
        rare.append(int(capsys.readouterr().err.split()[3]))

    assert rare[0] > 10 * rare[1]


def test_what_flows_hold_does_nothing_to_the_terminal(
    model, home, knocks, tmp_path, run, capsys
):
    save(model, tmp_path / "m.npz")
    odd = [(row[0], "\x1b[2J", *row[2:]) for row in knocks]
    write_flows(tmp_path / "f.parquet", home("lab", more=odd))

    assert run("flows", "detect", tmp_path / "m.npz", tmp_path / "f.parquet") == 0
    told = capsys.readouterr().out
    assert "(\\x1b[2J)" in told
    assert "\x1b" not in told


def test_flows_from_standard_input_are_told_of_as_those_of_a_file(
    model, home, knocks, tmp_path, run, capsys, monkeypatch
):
    save(model, tmp_path / "m.npz")
    path = tmp_path / "f.csv"
    write_flows(path, home("lab", more=knocks))
    assert run("flows", "detect", tmp_path / "m.npz", path) == 0
    whole = capsys.readouterr()

    monkeypatch.setattr(flows_detect, "_READ_B", 70_001)  # lines come in parts
    with path.open(encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert run("flows", "detect", tmp_path / "m.npz", "-") == 0
    told = capsys.readouterr()

    assert whole.out.count("\n") > 50
    assert told == whole


def test_flows_of_two_homes_are_not_mixed(model, home, tmp_path, run, capsys):
    save(model, tmp_path / "m.npz")
    for name in ("lab", "office"):
        write_flows(tmp_path / f"{name}.parquet", home(name, days=1))
    both = (tmp_path / "lab.parquet", tmp_path / "office.parquet")

    assert run("flows", "detect", tmp_path / "m.npz", *both) == 2
    assert "several homes, lab, office" in capsys.readouterr().err


def test_flows_of_another_model_of_device_are_refused(
    model, home, tmp_path, run, capsys
):
    save(model, tmp_path / "m.npz")
    flows = home("lab", days=1)
    other = FlowRecords(
        **{
            name: getattr(flows, name)
            for name in FlowRecords.__dataclass_fields__
            if name != "model"
        },
        model=type(flows.model).same("Camera Two", len(flows)),
    )
    write_flows(tmp_path / "f.csv", other)

    assert run("flows", "detect", tmp_path / "m.npz", tmp_path / "f.csv") == 2
    assert "Camera Two" in capsys.readouterr().err
