"""Fetching a file: whose fault a failure is, and the lease meanwhile."""

import errno
import hashlib
from pathlib import Path

import pytest

from testbed.clock import VirtualClock
from testbed.drivers.router_ssh import SshRouter
from testbed.errors import JournalError
from testbed.model.lab import RouterAt
from testbed.model.protocols import CaptureFile

DATA = b"x" * 1000


class FakeSftp:
    """A router whose files come over ten pieces, a second each."""

    def __init__(self, clock, written):
        self.clock = clock
        self.written = written
        self.removed = []

    def getfo(self, remote, local, callback):
        for i in range(10):
            self.clock.sleep(1.0)
            local.write(DATA[i * 100 : (i + 1) * 100])
            callback((i + 1) * 100, 1000)

    def open(self, path, mode):
        sftp = self

        class Remote:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                return None

            def write(self, data):
                sftp.written.append((sftp.clock.monotonic_s(), Path(path).name, data))

        return Remote()

    def remove(self, path):
        self.removed.append(path)


class FakeLink:
    """Does at once what it is asked; translates errors as the real one does."""

    def __init__(self, clock):
        self.written = []
        self.sftp = FakeSftp(clock, self.written)

    def files(self, request, act):
        return act(self.sftp)

    transfer = files


@pytest.fixture
def clock():
    return VirtualClock(0)


@pytest.fixture
def link(clock):
    return FakeLink(clock)


@pytest.fixture
def router(link, clock):
    at = RouterAt(host="router", interface="lan", beacon="10.0.0.1:9", lease=12.0)
    router = SshRouter(link, at, clock)
    router._supervisor._folder = "/captures/one"  # as after a start
    return router


@pytest.fixture
def file():
    digest = hashlib.sha256(DATA).hexdigest()
    return CaptureFile(name="lan-00001.pcapng", size_b=1000, sha256=digest)


def test_the_lease_is_renewed_while_a_long_file_comes_over(
    router, link, file, tmp_path
):
    router.fetch(file, tmp_path / file.name)
    assert [(at_s, name) for at_s, name, _ in link.written] == [
        (3.0, "lease"),
        (6.0, "lease"),
        (9.0, "lease"),
    ]
    assert len({data for _, _, data in link.written}) == 3
    assert (tmp_path / file.name).read_bytes() == DATA
    assert link.sftp.removed == ["/captures/one/done/lan-00001.pcapng"]


@pytest.mark.parametrize("call", ["open", "write", "flush", "fsync", "replace"])
def test_a_full_disk_here_is_a_journal_error_and_the_file_stays_there(
    router, link, file, tmp_path, monkeypatch, call
):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    if call in ("open", "replace"):
        monkeypatch.setattr(Path, call, full)
    elif call == "fsync":
        monkeypatch.setattr("os.fsync", full)
    else:
        opened = Path.open

        def broken(path, *how):
            local = opened(path, *how)
            monkeypatch.setattr(local, call, full, raising=False)
            return local

        monkeypatch.setattr(Path, "open", broken)
    with pytest.raises(JournalError, match="the disk is full; free some space"):
        router.fetch(file, tmp_path / file.name)
    assert link.sftp.removed == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(router, file, tmp_path):
    (tmp_path / "raw").write_text("not a folder")
    with pytest.raises(JournalError, match=r"raw/lan-00001\.pcapng cannot be written"):
        router.fetch(file, tmp_path / "raw" / file.name)


def test_importing_the_driver_leaves_the_logging_of_paramiko_to_the_program():
    text = (Path(__file__).parents[2] / "testbed/drivers/router_link.py").read_text()
    assert "setLevel" not in text
