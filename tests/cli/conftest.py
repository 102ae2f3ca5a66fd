"""The command as a process would call it, without the time that processes take."""

import subprocess
import sys

import pytest

from testbed.cli import main


@pytest.fixture
def call_in(monkeypatch, capsys):
    """Return what calls the command in a folder: exit code, stdout and stderr."""

    def _call(folder, *words):
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            patch.setattr(sys, "argv", ["testbed", *words])
            with pytest.raises(SystemExit) as end:
                main()
        said = capsys.readouterr()
        code = end.value.code or 0
        return subprocess.CompletedProcess(words, code, said.out, said.err)

    return _call
