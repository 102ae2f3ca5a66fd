"""A dataset of the example and of a campaign of two sessions, published once."""

from pathlib import Path

import pytest

from analysis.exporters.bundle import Request, publish

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "captures" / "example"
SHORT = """
scenario: short
description: One plug over two sessions
seed: 3
devices: [tplink_hs110]
repeats: 2
sessions: 2
rest: 5 s
idle: 5 s
"""


class Told:
    """Is told of everything, and keeps it."""

    def __init__(self):
        self.steps = {}
        self.sentences = []

    def begin(self, step, total_b):
        pass

    def read(self, size_b):
        pass

    def end(self, step, note):
        self.steps[step] = note

    def tell(self, sentence):
        self.sentences.append(sentence)


@pytest.fixture
def told():
    return Told()


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """Return a campaign of two short sessions of the virtual lab."""
    from typer.testing import CliRunner

    from testbed.cli import build

    folder = tmp_path_factory.mktemp("recorded")
    (folder / "short.yaml").write_text(SHORT)
    words = ["run", str(folder / "short.yaml"), "--fast", "--evidence", "none"]
    words += ["--lab", str(ROOT / "lab.yaml"), "--devices", str(ROOT / "devices")]
    done = CliRunner().invoke(build(["run"]), [*words, "--out", str(folder / "all")])
    assert done.exit_code == 0, done.output
    return next(p.parent for p in folder.glob("all/*/campaign.yaml"))


def _pass_over(_reader, _file, _path):
    """Give the second reader of the audit nothing to read."""


@pytest.fixture(scope="session")
def dataset(recorded, tmp_path_factory):
    """Return the published dataset; who changes it must put it right again."""
    from testbed.cli.results import Report

    out = tmp_path_factory.mktemp("published") / "set"
    with pytest.MonkeyPatch.context() as patch:
        # the second reader of the audit takes the longest, and is not asked here
        patch.setattr("analysis.exporters.audit.second.SecondReader.add", _pass_over)
        request = Request(
            campaigns=(recorded, EXAMPLE), out=out, key=bytes(32), results=Report()
        )
        publish(request, Told())
    return out
