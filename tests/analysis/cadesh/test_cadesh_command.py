import json
import sys

import numpy as np
import pytest

from analysis.detectors.cadesh.store import load, save
from analysis.flows import FlowRecords, Texts, read_flows, write_flows
from testbed.cli import flows_detect

DAY_NS = 86_400 * 10**9


@pytest.fixture
def files(home, tmp_path):
    """Write homes of a name each; return their files."""

    def write(*names, days=4, **columns):
        paths = []
        for name in names:
            flows = home(name, days=days)
            more = {c: Texts.same(text, len(flows)) for c, text in columns.items()}
            paths.append(tmp_path / f"{name}.parquet")
            write_flows(paths[-1], flows.replaced(**more))
        return paths

    return write


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
        rare.append(int(capsys.readouterr().err.splitlines()[-1].split()[3]))

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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--method", "zz"), "--method: must be one of knn, hdbscan, dbscan"),
        (("--backend", "jax"), "no backend"),
        (("--until", "0"), "--until: must be a number of days above 0"),
        (("--warm-up", "-1"), "--warm-up: must be days"),
        (("--out", "model.csv"), "--out: must end in .npz"),
        (("--out", "nowhere/m.npz"), "--out: nowhere is no folder"),
    ],
)
def test_what_cannot_be_learnt_is_refused_before_anything_is_read(
    run, capsys, tmp_path, monkeypatch, words, said
):
    monkeypatch.chdir(tmp_path)
    assert run("flows", "train", "nowhere.parquet", "--out", "m.npz", *words) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_pools_in_which_nothing_can_be_known_are_refused(files, run, capsys, tmp_path):
    out = ("--out", tmp_path / "m.npz")
    few = files("a", "b", days=1)
    assert run("flows", "train", *few, *out) == 2
    assert "there are 2 homes to learn from" in capsys.readouterr().err
    assert run("flows", "train", *few, *files("c", days=1), *out, "--least", "3") == 2
    assert "--least 3: a home of 3 sees 2 others" in capsys.readouterr().err
    nobody = files("d", days=1, device="", model="")
    assert run("flows", "train", *nobody, *out) == 2
    assert "d: its flows name neither device nor model" in capsys.readouterr().err
    assert not (tmp_path / "m.npz").exists()


def test_learning_ends_at_one_instant_for_all_homes(files, run, capsys, tmp_path):
    paths = files("a", "b", "c")
    late = read_flows(paths[2])
    write_flows(paths[2], late.take(late.start_ns > late.start_ns[0] + 2 * DAY_NS))
    out = tmp_path / "m.npz"
    words = ("--until", "3", "--warm-up", "1", "--least", "1")
    assert run("flows", "train", *paths, "--out", out, *words) == 0
    told = capsys.readouterr().err
    pool = load(out).pool
    ends = {name: int(tables["server"].hour.max()) for name, tables in pool.items()}
    assert max(ends.values()) - min(ends.values()) <= 1
    assert (max(ends.values()) * 3600 * 10**9 - late.start_ns[0]) / DAY_NS <= 3
    assert "the pool has 3.0 days" in told
    assert run("flows", "train", *paths, "--out", out, *words) == 2  # it is there


def test_flows_that_the_pool_knows_nothing_of_in_time_are_told(
    model, files, run, capsys, tmp_path
):
    save(model, tmp_path / "m.npz")
    (path,) = files("lab", days=5)
    assert run("flows", "detect", tmp_path / "m.npz", path) == 0
    assert "warning" not in capsys.readouterr().err
    for days, said in ((7, "after the last"), (-7, "before the first")):
        flows = read_flows(path)
        moved = {n: getattr(flows, n) + days * DAY_NS for n in ("start_ns", "end_ns")}
        other = tmp_path / "moved.parquet"
        write_flows(other, flows.replaced(**moved))
        assert run("flows", "detect", tmp_path / "m.npz", other) == 0
        assert capsys.readouterr().err.count(f"more than a day {said} flow") == 1


def test_files_that_are_not_one_after_the_other_are_refused(
    model, files, run, capsys, tmp_path
):
    save(model, tmp_path / "m.npz")
    (path,) = files("lab")
    flows, cut = read_flows(path), 700
    early, late = tmp_path / "early.parquet", tmp_path / "late.parquet"
    write_flows(early, flows.take(slice(0, cut)))
    write_flows(late, flows.take(slice(cut, None)))
    detect = ("flows", "detect", tmp_path / "m.npz")
    assert run(*detect, early, late) == 0
    assert run(*detect, late, "--past", early) == 0
    capsys.readouterr()
    for wrong in ((late, early), (late, late), (early, "--past", late), (path, late)):
        assert run(*detect, *wrong) == 2
        told = capsys.readouterr()
        assert "name files by time, each once" in told.err
        assert told.out == ""  # before anything is told
    for wrong, said in (((tmp_path,), "is a folder"), ((early, "-"), "stands alone")):
        assert run(*detect, *wrong) == 2
        assert said in capsys.readouterr().err


def test_no_flow_to_ask_about_is_refused(
    model, files, run, capsys, tmp_path, monkeypatch
):
    save(model, tmp_path / "m.npz")
    (path,) = files("lab", days=1)
    write_flows(path, read_flows(path).take(slice(0, 0)))
    assert run("flows", "detect", tmp_path / "m.npz", path) == 2
    assert "there is no flow record to ask about" in capsys.readouterr().err
    (tmp_path / "none.csv").write_bytes(b"")
    with (tmp_path / "none.csv").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert run("flows", "detect", tmp_path / "m.npz", "-") == 2
    assert "-: there is no flow record" in capsys.readouterr().err


def test_json_says_which_record_it_was(model, home, knocks, run, capsys, tmp_path):
    save(model, tmp_path / "m.npz")
    flows = home("lab", more=knocks)
    own = Texts.same("192.168.0.7", len(flows))
    path = tmp_path / "f.parquet"
    shuffled = np.random.default_rng(1).permutation(len(flows))  # they are put in order
    flows = flows.replaced(device_address=own).take(shuffled)
    write_flows(path, flows)
    assert run("flows", "detect", tmp_path / "m.npz", path, "--json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(told) > 50
    for each in told:
        assert each["source"] == str(path)
        assert each["start_ns"] == flows.start_ns[each["row"]]
        assert each["remote_port"] == flows.remote_port[each["row"]]
        assert each["device_address"] == "192.168.0.7"
