"""One lab for all live tests of a session, and commands inside it."""

import contextlib
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed.model.lab import Lab
from testbed.model.load import load_lab
from testbed.virtual.live import enter
from testbed.virtual.live import lab as live
from testbed.virtual.live.lab import LabHandle

ROOT = Path(__file__).resolve().parents[2]
LAB_FILE = ROOT / "lab.yaml"


@dataclass(frozen=True)
class Inside:
    """A lab that is up, for tests."""

    handle: LabHandle

    def run(
        self, argv: list[str], *, check: bool = True, timeout: float = 120.0
    ) -> str:
        """Run a command on the lab's controller and return what it prints."""
        done = subprocess.run(
            self._entering(argv),
            env=self.handle.environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextlib.contextmanager
    def fault(self, kind: str, value: str = "") -> Iterator[None]:
        """Let a fault last as long as the context."""
        path = self.handle.state / "faults" / kind
        draft = path.with_name(f".{kind}")
        draft.write_text(value)
        draft.replace(path)  # nobody sees it without its value
        try:
            yield
        finally:
            path.unlink()

    @contextlib.contextmanager
    def background(self, argv: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        """Run a command on the lab's controller, whose output is a pipe."""
        process = subprocess.Popen(
            self._entering(argv),
            env=self.handle.environment(),
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def start(self, argv: list[str]) -> subprocess.Popen[bytes]:
        """Start a command on the lab's controller, with a pipe as its input."""
        return subprocess.Popen(
            self._entering(argv),
            env=self.handle.environment(),
            cwd=ROOT,
            stdin=subprocess.PIPE,
        )

    def _entering(self, argv: list[str]) -> list[str]:
        pid = str(self.handle.process.pid)
        return [sys.executable, "-I", "-S", enter.__file__, pid, *argv]

    def at(self, node: str, argv: list[str], **how: float | bool) -> str:
        """Run a command on a node of the lab."""
        return self.run(["ip", "netns", "exec", node, *argv], **how)

    def python(self, program: str, *arguments: str, **how: float | bool) -> str:
        """Run a Python program on the lab's controller."""
        text = textwrap.dedent(program)
        return self.run([sys.executable, "-c", text, *arguments], **how)

    def ssh(self, command: str, **how: float | bool) -> str:
        """Run a command on the router."""
        return self.run([*self.ssh_command(), command], **how)

    def ssh_command(self) -> list[str]:
        """Return the beginning of an ssh command line to the router."""
        state = self.handle.state
        known = state / "known_hosts"
        key = (state / "router_host_key.pub").read_text().strip()
        known.write_text(f"10.78.0.1 {key}\n")
        user = self.handle.environment()["USER"]
        return [
            *("ssh", "-F", "none", "-i", str(state / "client_key")),
            *("-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={known}"),
            f"{user}@10.78.0.1",
        ]

    def log(self) -> str:
        """Return what the lab's own processes have said."""
        return (self.handle.state / "log").read_text()


def named(name: str, **virtual: object) -> Lab:
    """Return the shipped lab under another name, with other virtual settings."""
    lab = load_lab(LAB_FILE)
    assert lab.virtual is not None
    settings = lab.virtual.model_dump() | virtual
    values = lab.model_dump() | {"lab": name, "virtual": settings}
    return Lab.model_validate(values)


@pytest.fixture(scope="session")
def live_lab() -> Iterator[Inside]:
    """Bring the shipped lab up, once for all tests of the session."""
    lab = named(f"test_{os.getpid()}")
    with live.borrowed(lab, LAB_FILE) as handle:
        yield Inside(handle)
    shutil.rmtree(handle.state, ignore_errors=True)


@pytest.fixture
def make_lab():
    """Return a maker of labs that are taken down after the test."""
    with maker() as make:
        yield make


@pytest.fixture(scope="module")
def make_lab_for_module():
    """Return a maker of labs that are taken down after the tests of a module."""
    with maker() as make:
        yield make


@contextlib.contextmanager
def maker():
    """Give a maker of labs; take them down in the end."""
    made: list[Lab] = []

    def make(name: str, **virtual: object) -> Inside:
        lab = named(f"{name}_{os.getpid()}", **virtual)
        made.append(lab)
        return Inside(live.up(lab, LAB_FILE, tied=True))

    yield make
    for lab in made:
        state = live.folder(lab.lab)
        live.down(lab)
        shutil.rmtree(state, ignore_errors=True)


@pytest.fixture
def shipped_lab():
    """Return the function that gives the shipped lab another name."""
    return named


@pytest.fixture
def lab_file() -> Path:
    """Path of the shipped lab file."""
    return LAB_FILE
