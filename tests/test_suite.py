"""The suite's own rules: nothing is left out in silence, what is long comes first."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import suite

HERE = Path(__file__).parent
SAMPLE = """\
import pytest

@pytest.mark.skipif(True, reason="needs the program adb")
def test_marked(): ...

def test_within():
    pytest.skip("needs the program adb")

@pytest.mark.skipif(True, reason="needs the public data")
def test_excused(): ...

@pytest.mark.xfail
def test_expected():
    raise AssertionError
"""


def test_what_is_skipped_without_an_excuse_is_a_failure(tmp_path):
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest"]
    done = subprocess.run(
        [*command, f"--rootdir={tmp_path}", "-c", "/dev/null", str(tmp_path)],
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 1 skipped, 1 xfailed, 1 error" in done.stdout
    assert "must not be: needs the program adb" in done.stdout


@pytest.mark.parametrize("name", suite.LONGEST_FIRST)
def test_the_long_files_are_there(name):
    assert len([*HERE.rglob(name)]) == 1


def test_the_long_files_come_first_and_the_others_keep_their_order():
    first, second = suite.LONGEST_FIRST[:2]
    names = ["b.py", second, "a.py", first, "b.py", "live.py", "a.py"]
    assert [names[k] for k in suite.in_order(names, {"live.py", second})] == [
        *(first, second, "live.py", "b.py", "a.py", "b.py", "a.py")
    ]
