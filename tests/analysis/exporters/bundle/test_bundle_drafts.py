"""The draft of a dataset: nobody else's, and nothing that git takes along."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from analysis.errors import RequestError
from analysis.exporters.bundle import pipeline, publish
from analysis.exporters.bundle.drafts import begin_draft, finish_draft, refuse_foreign
from analysis.exporters.bundle.ledger import Ledger

ROOT = Path(__file__).parents[4]


class StoppedError(BaseException):
    """Stands for a kill: nothing of the publication may catch it."""


def files_that_git_takes(folder):
    """Return what `git add .` would take of a folder."""
    git = ["git", "-C", str(folder)]
    subprocess.run([*git, "init", "-q"], check=True)
    listed = [*git, "ls-files", "-o", "--exclude-standard"]
    return subprocess.check_output(listed, text=True).splitlines()


@pytest.fixture
def leave_draft(monkeypatch, watcher):
    """Return what publishes until secrets lie in the draft, and is killed then."""

    def _leave(request):
        def killed(work, _sources):
            work.private.mkdir()
            (work.private / "identifiers.json").write_text("[]")
            raise StoppedError

        with monkeypatch.context() as patch:
            patch.setattr(pipeline, "_make", killed)
            with pytest.raises(StoppedError):
                publish(request, watcher)

    return _leave


def test_git_takes_nothing_of_a_draft(tmp_path, request_for, leave_draft):
    request = request_for(tmp_path / "set")
    leave_draft(request)
    assert (request.draft / "private" / "identifiers.json").is_file()
    assert files_that_git_takes(tmp_path) == []


def test_a_draft_that_somebody_else_works_in_is_told_with_what_to_do(
    tmp_path, request_for, watcher, leave_draft
):
    request = request_for(tmp_path / "set")
    leave_draft(request)
    place = os.open(request.draft, os.O_RDONLY)
    fcntl.flock(place, fcntl.LOCK_EX)
    try:
        with pytest.raises(RequestError, match="is publishing here; wait until"):
            publish(request, watcher)
    finally:
        os.close(place)


def test_what_a_draft_is_hidden_by_does_not_get_into_the_dataset(published):
    assert not list(published.parent.rglob(".gitignore"))
    assert not published.with_name("set.draft").exists()


@pytest.mark.parametrize(
    "name",
    [
        *(
            "datasets/house/data/README.md",
            "models/home/model.json",
            "my_twin/lab.yaml",
        ),
        *("homes/home_1.parquet", "tables/packets.parquet"),
        *("my_twin/lab.yaml", "secrets.txt"),
        *("a/set.draft/private/plain.txt", "captures/x/raw/lan-00001.pcapng"),
        "datasets/house.answers.yaml",
    ],
)
def test_git_takes_nothing_that_commands_of_the_readme_make_here(tmp_path, name):
    ignored = (ROOT / ".gitignore").read_text()
    (tmp_path / ".gitignore").write_text(ignored)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("mine")
    for code in ("analysis/models/store.py", "testbed/virtual/homes/life.py"):
        (tmp_path / code).parent.mkdir(parents=True)
        (tmp_path / code).write_text("")
    assert files_that_git_takes(tmp_path) == [
        *(".gitignore", "analysis/models/store.py", "testbed/virtual/homes/life.py")
    ]


def put(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    "files",
    [
        {"mine.txt": "hi"},
        {"ledger.json": '{"entries": []}'},
        {"ledger.json": "1 May: 3 EUR", "bag/mine.txt": "hi"},
        {".gitignore": "*.log\n"},
        {"ledger.json": '{"format": 2, "steps": {}}', "mine.txt": "hi"},
        {"ledger.json": '{"format": 1, "steps": {}}', "private/my words.txt": "hi"},
    ],
)
def test_a_draft_of_somebody_else_is_refused_and_stays(
    tmp_path, request_for, watcher, files
):
    request = request_for(tmp_path / "set")
    for name, text in files.items():
        put(request.draft, name, text)
    with pytest.raises(RequestError, match="did not make, and would remove: ") as told:
        publish(request, watcher)
    assert str(told.value).endswith("move it away, or name another OUT")
    assert watcher.begun == {}  # before any work
    for name, text in files.items():
        assert (request.draft / name).read_text() == text


@pytest.mark.parametrize("name", ["out", "parts"])
def test_who_is_in_the_way_in_the_end_is_told_and_nothing_is_lost(
    tmp_path, request_for, watcher, monkeypatch, name
):
    request = request_for(tmp_path / "set")
    place = getattr(request, name)
    finish = pipeline._finish

    def meanwhile(request):
        put(place, "mine.txt", "hi")
        finish(request)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "_finish", meanwhile)
        with pytest.raises(RequestError, match="has come to be there meanwhile; move"):
            publish(request, watcher)
    assert [path.name for path in place.iterdir()] == ["mine.txt"]
    with pytest.raises(RequestError, match="has come to be there meanwhile; move"):
        publish(request, watcher)
    place.rename(tmp_path / "away")
    assert publish(request, watcher).n_files > 30
    assert not request.draft.exists()


def test_a_file_or_a_link_in_the_place_of_a_draft_is_refused(tmp_path):
    put(tmp_path, "set.draft", "hi")
    (tmp_path / "two.draft").symlink_to(tmp_path / "elsewhere")
    for name in ("set.draft", "two.draft"):
        with pytest.raises(RequestError, match="is no folder, and a draft would be"):
            refuse_foreign(tmp_path / name)


def test_what_a_kill_or_a_power_cut_leaves_of_a_draft_is_ours(
    tmp_path, request_for, leave_draft
):
    draft = tmp_path / "set.draft"
    draft.mkdir()
    refuse_foreign(draft)
    (draft / ".gitignore").touch()
    refuse_foreign(draft)
    (draft / ".gitignore").unlink()
    leave_draft(request_for(tmp_path / "set"))
    refuse_foreign(draft)
    (draft / "ledger.json").write_text("")
    refuse_foreign(draft)


def test_what_somebody_puts_into_a_draft_meanwhile_stays_and_git_does_not_take_it(
    tmp_path,
):
    draft = tmp_path / "set.draft"
    begin_draft(draft)
    Ledger(draft).begin()
    put(draft, "private/plain.txt", "ours")
    put(draft, "private/names/campaign.yaml", "ours")
    put(draft, "late/a.json", "ours")
    put(draft, "private/words.txt", "mine")
    finish_draft(draft)
    left = sorted(p.relative_to(draft).as_posix() for p in draft.rglob("*.*"))
    assert left == [".gitignore", "private/words.txt"]
    (draft / "private/words.txt").unlink()
    (draft / "private").rmdir()
    refuse_foreign(draft)
    finish_draft(draft)
    assert not draft.exists()
