"""The draft of a dataset: nobody else's, and nothing that git takes along."""

import subprocess
from pathlib import Path

import pytest

from analysis.exporters.bundle import pipeline, publish

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
