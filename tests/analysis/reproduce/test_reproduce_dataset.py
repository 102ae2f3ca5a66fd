"""A published dataset comes out again anywhere; what was changed in it is told."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from numba.core.caching import UserProvidedCacheLocator

from analysis.errors import DatasetError, RequestError
from analysis.reproduce import Request, pipeline, reproduce
from testbed.cli.results import Remaker

ROOT = Path(__file__).parents[3]
PICTURE = "pictures/*/timeline_tplink_hs110.svg"
NOBODY = 65534


def request_for(dataset, out, makers=None):
    return Request(dataset=dataset, out=out, makers=makers or Remaker(1))


@contextmanager
def changed(path, *, old=b"", new=b""):
    """Change a file of the dataset for a while."""
    before, state = path.read_bytes(), path.stat()
    assert old in before
    path.write_bytes(before.replace(old, new, 1))
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def one_of(dataset, pattern):
    (path,) = (dataset / "data" / "results").glob(f"short-*/{pattern}")
    return path


def compiled_for_all(folder):
    """Copy compiled kernels to where another user may keep some: it saves a minute."""
    for kept in {path.parent for path in (ROOT / "analysis").rglob("*.nbi")}:
        name = UserProvidedCacheLocator.get_suitable_cache_subpath(
            str(kept.parent / "any.py")
        )
        (folder / name).mkdir(parents=True)
        for path in kept.glob("*.nb*"):
            shutil.copy2(path, folder / name)
    folder.mkdir(exist_ok=True)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    return folder


@pytest.fixture(scope="module")
def elsewhere():
    """Return a folder that others may enter: those of pytest are its owner's alone."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="elsewhere-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def by_a_stranger(dataset, elsewhere):
    """Reproduce it with another folder, user, home, time zone, locale and umask."""
    place = elsewhere
    copy, temporary, out = place / "an other näme", place / "tmp", place / "own"
    shutil.copytree(dataset, copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    for folder in (temporary, out):
        folder.mkdir()
        folder.chmod(0o777)
    out /= "made anew"
    words = [sys.executable, "-m", "testbed", "reproduce", str(copy), "--json"]
    words += ["--out", str(out)]
    if os.getuid() == 0 and shutil.which("setpriv"):
        # may read where python lies, and write nowhere
        reads = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
        who = ["--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
        words = ["setpriv", *who, *reads, *words]
    around = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "77",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/nonexistent",
        "TMPDIR": str(temporary),
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "C",
        "LANG": "tr_TR.ISO-8859-9",
        "NUMBA_CACHE_DIR": str(compiled_for_all(place / "compiled")),
        "OMP_NUM_THREADS": "1",
    }
    return out, subprocess.run(
        words,
        env=around,
        cwd=temporary,
        umask=0o077,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def out(by_a_stranger, dataset, monkeypatch):
    """Return where all of it was made, once: a later call only compares."""
    out, done = by_a_stranger
    recipe = json.loads((dataset / "data/results/recipe.json").read_text())
    told = [each.split()[-2] for each in json.loads(done.stdout)["other_here"]]
    # whoever works on the code while tests run makes no difference
    monkeypatch.setattr(Remaker, "code", (told or [recipe["code"]])[0])
    return out


def test_all_comes_out_as_published_elsewhere_and_for_others(by_a_stranger):
    out, done = by_a_stranger
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["differences"] == []
    assert found["exact"] is True
    equal = {each["kind"]: each["equal"] for each in found["counts"] if each["equal"]}
    assert set(equal) == {
        "labelled captures",
        "packet tables",
        "flow tables",
        "tables",
        "splits",
        "features",
        "results: tables",
        "results: figures",
        "results: pages",
    }
    aside = {each["kind"]: each["not_compared"] for each in found["counts"]}
    assert {kind for kind, n in aside.items() if n} == {
        "tables",  # `written`
        "inputs",
        "papers and metadata",
    }
    assert sum(aside.values()) == len(found["not_compared"])
    counted = sum(equal.values()) + sum(aside.values())
    payload = out.parents[1] / "an other näme/data"
    assert counted == sum(path.is_file() for path in payload.rglob("*"))
    assert {path.name for path in out.iterdir()} == {"data", "reproduce.json"}
    assert list((out.parents[1] / "tmp").iterdir()) == []


def test_a_later_call_keeps_what_was_made_wherever_the_dataset_is_now(
    dataset, out, told
):
    assert reproduce(request_for(dataset, out), told).alike
    *steps, compared = told.steps.values()
    assert set(steps) == {"kept"}
    assert compared.endswith(" files")


def test_scores_of_classifiers_are_among_what_comes_out(dataset):
    text = one_of(dataset, "data/*/accuracy.csv").read_text()
    rows = [line.split(",")[1:4] for line in text.splitlines()[1:]]
    scored = {(split, classifier) for split, _, classifier in rows}
    for split in ("s1", "s2"):
        for classifier in ("random_forest", "nearest", "naive_bayes"):
            assert (split, classifier) in scored


def test_a_changed_score_is_told_with_file_row_column_and_both_values(
    dataset, out, told
):
    path = one_of(dataset, "data/*/accuracy.csv")
    lines = path.read_bytes().splitlines(keepends=True)
    cells = lines[2].split(b",")
    wrong = b",".join([*cells[:4], b"0.987", *cells[5:]])
    with changed(path, old=lines[2], new=wrong):
        found = reproduce(request_for(dataset, out), told)
    (each,) = found.differences
    assert each.file == path.relative_to(dataset / "data").as_posix()
    assert each.place == "row 2, column accuracy"
    assert (each.published, each.remade) == ("0.987", cells[4].decode())
    assert sum(count.differs for count in found.counts) == 1


def test_a_moved_label_is_told_by_its_frame(dataset, out, told):
    (path,) = (dataset / "data/campaigns").glob("short-*/labelled/tplink_hs110.pcapng")
    with changed(path, old=b"label=turn_on", new=b"label=turn_of"):
        found = reproduce(request_for(dataset, out), told)
    (each,) = found.differences
    assert each.place.startswith("frame ")
    assert each.place.endswith(", label")
    assert "label=turn_of" in each.published
    assert "label=turn_on" in each.remade


def test_a_figure_that_was_drawn_otherwise_is_told(dataset, out, told):
    path = one_of(dataset, PICTURE)
    with changed(path, old=b"#0072b2", new=b"#0072b3"):
        found = reproduce(request_for(dataset, out), told)
    assert [each.file for each in found.differences] == [
        path.relative_to(dataset / "data").as_posix()
    ]


def test_a_word_of_the_page_is_compared_too(dataset, out, told):
    path = one_of(dataset, "index.html")
    with changed(path, old=b"ended as confirmed", new=b"ended as expected!"):
        found = reproduce(request_for(dataset, out), told)
    (each,) = found.differences
    assert each.file.endswith("index.html")
    assert "expected!" in each.published


def test_files_that_are_gone_or_too_many_are_told(dataset, out, told):
    path = one_of(dataset, "features.parquet")
    aside, more = path.with_name("better.csv"), dataset / "data/tables/more.csv"
    path.rename(aside)
    more.write_text("a\n1\n")
    try:
        found = reproduce(request_for(dataset, out), told)
    finally:
        aside.rename(path)
        more.unlink()
    assert {(e.file.rpartition("/")[2], e.what) for e in found.differences} == {
        ("features.parquet", "is missing, but made anew"),
        ("better.csv", "is not made anew"),
        ("more.csv", "is not made anew"),
    }


class Elsewhere(Remaker):
    """Where another numpy is installed."""

    def surroundings(self):
        here = super().surroundings()
        return {**here, "versions": {**here["versions"], "numpy": "1.99"}}


@pytest.fixture
def made_here(dataset, out, monkeypatch):
    """Take what was made once as made by whatever is installed."""
    same = pipeline.made_by(request_for(dataset, out))
    monkeypatch.setattr(pipeline, "made_by", lambda _request: same)


def test_what_another_version_of_a_library_made_is_made_again(dataset, out):
    here, there = request_for(dataset, out), request_for(dataset, out, Elsewhere(1))
    assert pipeline.made_by(here) != pipeline.made_by(there)


@pytest.mark.usefixtures("made_here")
def test_other_versions_are_told_first_and_numbers_compared_nearly(dataset, out, told):
    path = one_of(dataset, "data/*/accuracy.csv")
    row = path.read_bytes().splitlines()[2]
    cells = row.split(b",")
    near = b",".join([*cells[:4], str(float(cells[4]) + 1e-9).encode(), *cells[5:]])
    picture = one_of(dataset, PICTURE)
    with (
        changed(path, old=row, new=near),
        changed(picture, old=b"#0072b2", new=b"#0072b3"),
    ):
        found = reproduce(request_for(dataset, out, Elsewhere(1)), told)
        assert not reproduce(request_for(dataset, out), told).alike
    assert found.told[0].startswith("numpy: ")
    assert found.told[0].endswith(" in the recipe, 1.99 here")
    assert told.sentences[0] == found.told[0]
    assert not found.exact
    assert found.alike
    drawn = [each.file for each in found.not_compared if "drawn" in each.why]
    assert drawn == [picture.relative_to(dataset / "data").as_posix()]
    assert sum(each.not_compared for each in found.counts) == len(found.not_compared)


class Halted(Remaker):
    """Somebody presses Ctrl-C while results are made."""

    def results(self, recipe, campaign, out):
        out.mkdir(parents=True)
        (out / "half.csv").write_text("a\n")
        raise KeyboardInterrupt


class Hasty(Remaker):
    """Makes no results."""

    def results(self, recipe, campaign, out):
        pass


def test_an_interrupted_call_goes_on_and_leaves_nothing_half(dataset, tmp_path, told):
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        reproduce(request_for(dataset, out, Halted(1)), told)
    assert list(out.rglob("half.csv")) == []
    again = type(told)()
    found = reproduce(request_for(dataset, out, Hasty(1)), again)
    steps = {name.split()[0]: note for name, note in again.steps.items()}
    assert steps["label"] == steps["packets"] == steps["tables"] == "kept"
    assert steps["results"] == "made"
    assert {e.what for e in found.differences} == {"is not made anew"}


class Other(Hasty):
    """Is of another revision."""

    code = "another"


def test_other_code_and_changed_inputs_begin_anew(dataset, tmp_path, told):
    out = tmp_path / "out"
    reproduce(request_for(dataset, out, Hasty(1)), told)
    found = reproduce(request_for(dataset, out, Other(1)), told)
    assert set(list(told.steps.values())[:-1]) == {"made"}
    assert found.told[0].startswith("code of the analysis: ")
    assert found.exact  # the version is the same


def test_a_dataset_whose_capture_is_damaged_is_told_and_not_the_end(
    dataset, tmp_path, told
):
    raw = next((dataset / "data/campaigns").glob("short-*/raw/*.pcapng"))
    whole = raw.read_bytes()
    with changed(raw, old=whole[:8], new=b"nonsense"):
        found = reproduce(request_for(dataset, tmp_path / "out", Hasty(1)), told)
    first = found.differences[0]
    assert first.what.startswith("cannot be made anew: ")
    assert first.file.startswith("campaigns/short-")
    assert first.file.endswith("/labelled")
    assert {"packets", "label"} <= {
        name.split()[0] for name, note in told.steps.items() if note == "failed"
    }


def test_nothing_is_made_in_the_dataset_or_among_other_things(dataset, tmp_path, told):
    with pytest.raises(RequestError, match="which is only read"):
        reproduce(request_for(dataset, dataset / "data" / "again"), told)
    (tmp_path / "thesis.tex").write_text("...")
    with pytest.raises(RequestError, match="holds something else"):
        reproduce(request_for(dataset, tmp_path), told)
    with pytest.raises(DatasetError, match="is no dataset that was published"):
        reproduce(request_for(tmp_path, tmp_path / "out"), told)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (b'"out": "results/', b'"out": "../results/', "lies elsewhere"),
        (b'"seed": 0', b'"seed": -1', "seed must be a whole number"),
        (b'"format": 1', b'"format": 9', "a newer version may know it"),
        (b'"made_by"', b'"cooked_by"', "is no recipe: 'made_by'"),
        (b"{", b"", "cannot be read"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(
    dataset, tmp_path, told, old, new, sentence
):
    path = dataset / "data" / "results" / "recipe.json"
    with changed(path, old=old, new=new), pytest.raises(DatasetError, match=sentence):
        reproduce(request_for(dataset, tmp_path / "out"), told)


def test_a_recipe_with_other_splits_is_no_reason_to_score_by_ours(recorded):
    from analysis.reproduce.recipe import Recipe

    recipe = Recipe(
        classifiers=("nb",),
        splits=("s9",),
        seed=0,
        versions={},
        platform={},
        code="",
        campaigns=(),
    )
    with pytest.raises(DatasetError, match="wants the splits s9"):
        Remaker(1).results(recipe, recorded, recorded)
