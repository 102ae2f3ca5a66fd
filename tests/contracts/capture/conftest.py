"""A router to test against: a real sshd on the loopback of a network of its own.

`router_host` has nothing in its PATH but busybox and the capture tools, as OpenWrt has.
"""

import ctypes
import os
import pwd
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from testbed.clock import SystemClock, wait_until
from testbed.drivers.router_ssh import SshRouter
from testbed.model.lab import RouterAt

CLONE_NEWNET = 0x40000000
TOOLS = ("tshark", "dumpcap", "tcpdump")
REAL_PYTHON = str(Path(sys.executable).resolve())
# A private /run, since sshd wants /run/sshd as root; and accounts of its own, since
# the user of this machine may have a locked password or a login shell of any kind.
SSHD = """
mount -t tmpfs none /run && mkdir /run/sshd && mount --bind "$1/passwd" /etc/passwd
[ "$(id -u)" != 0 ] || mount --bind "$1/shadow" /etc/shadow
mount -t sysfs none /sys 2>/dev/null # the interfaces of this network
exec "$2" -D -e -f "$1/sshd_config"
"""


def _libc(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)


@pytest.fixture(scope="module")
def own_network() -> Iterator[None]:
    """Put the tests of a module into a new network namespace with only a loopback."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _libc("unshare", CLONE_NEWNET)
    except OSError:
        os.close(before)
        pytest.fail(
            "needs a network namespace: be root, or run pytest under "
            "`unshare -U --map-current-user --keep-caps -n -m`"
        )
    try:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
    finally:
        _libc("setns", before, CLONE_NEWNET)
        os.close(before)


def busybox_path(folder: Path, extra: tuple[str, ...] = TOOLS) -> Path:
    """Make a folder of programs: all of busybox, and `extra` ones of this machine."""
    folder.mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox, "busybox is not installed"
    names = subprocess.run(
        [busybox, "--list"], capture_output=True, text=True, check=True
    )
    for name in ("busybox", *names.stdout.split()):
        if not (folder / name).exists():
            (folder / name).symlink_to(busybox)
    for name in extra:
        # the real interpreter: a shim of pyenv would not run here
        found = REAL_PYTHON if name == "python3" else shutil.which(name)
        assert found, f"{name} is not installed"
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(found)
    return folder


@pytest.fixture
def busybox_programs() -> Callable[..., Path]:
    return busybox_path


@dataclass(kw_only=True)
class RouterHost:
    """A running sshd and what is needed to log in."""

    folder: Path
    programs: str
    address: str = "127.0.0.1"
    port: int = 0
    clock: SystemClock = field(default_factory=SystemClock)
    inside: tuple[str, ...] = ()
    options: str = ""
    server: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("host_key", "client_key", "other_key"):
            if not (self.folder / name).exists():
                command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name]
                subprocess.run(command, cwd=self.folder, check=True)
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]

    @property
    def host_key(self) -> str:
        return (self.folder / "host_key.pub").read_text(encoding="utf-8")

    @property
    def captures(self) -> Path:
        return self.folder / "captures"

    def start(self) -> None:
        config = self.folder / "sshd_config"
        config.write_text(
            f"ListenAddress {self.address}:{self.port}\n"
            f"HostKey {self.folder}/host_key\n"
            f"AuthorizedKeysFile {self.folder}/client_key.pub\n"
            "PidFile none\nStrictModes no\nUsePAM no\nUseDNS no\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
            f"SetEnv PATH={self.programs} HOME={self.folder}\n{self.options}",
            encoding="utf-8",
        )
        self._write_accounts()
        sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        assert sshd, "sshd is not installed"
        with (self.folder / "sshd.log").open("wb") as log:
            self.server = subprocess.Popen(
                [
                    *self.inside,
                    "unshare",
                    "-m",
                    "sh",
                    "-c",
                    SSHD,
                    "sh",
                    self.folder,
                    sshd,
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        log_file = self.folder / "sshd.log"
        assert wait_until(
            lambda: b"listening on" in log_file.read_bytes(),
            clock=self.clock,
            deadline_s=60.0,
        ), log_file.read_text(encoding="utf-8")

    def _write_accounts(self) -> None:
        me = pwd.getpwuid(os.getuid())
        sshd = "sshd:x:65533:65533::/run/sshd:/usr/sbin/nologin"
        (self.folder / "passwd").write_text(
            f"{me.pw_name}:x:{me.pw_uid}:{me.pw_gid}::{self.folder}:/bin/sh\n{sshd}\n",
            encoding="utf-8",
        )
        (self.folder / "shadow").write_text(
            f"{me.pw_name}:*:1::::::\n", encoding="utf-8"
        )
        (self.folder / "shadow").chmod(0o600)

    def stop(self) -> None:
        if self.server is not None:
            self.server.terminate()
            self.server.wait(timeout=60)
            self.server = None

    def at(self, **changes: object) -> RouterAt:
        """Return a section of lab.yaml for this router."""
        values: dict[str, object] = {
            "host": self.address,
            "port": self.port,
            "user": pwd.getpwuid(os.getuid()).pw_name,
            "key_file": str(self.folder / "client_key"),
            "host_key": self.host_key,
            "interface": "lo",
            "folder": str(self.captures),
            "rotate": 60.0,
            "lease": 30.0,
            "free_mb": 1,
            "filter": f"not port {self.port}",
            "beacon": "127.0.0.1:47777",
        }
        return RouterAt.model_validate(values | changes)

    def processes(self) -> list[str]:
        """Return the command lines that name our capture folder."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(self.captures) in words:
                found.append(words)
        return found


@pytest.fixture(scope="module")
def router_host(
    own_network: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RouterHost]:
    folder = tmp_path_factory.mktemp("router")
    programs = busybox_path(folder / "bin", (*TOOLS, "python3"))
    host = RouterHost(folder=folder, programs=str(programs))
    host.start()
    yield host
    host.stop()
    assert not host.processes(), "a test left processes on the router"


@pytest.fixture
def make_host(own_network: None) -> Iterator[Callable[..., RouterHost]]:
    """Make further routers; each is stopped with the test."""
    hosts = []

    def make(**values: object) -> RouterHost:
        host = RouterHost(**values)  # type: ignore[arg-type]
        hosts.append(host)
        host.start()
        return host

    yield make
    for host in hosts:
        host.stop()


@pytest.fixture
def opened(router_host: RouterHost) -> Iterator[Callable[..., SshRouter]]:
    """Open the router with changes to its section of lab.yaml; end its captures."""
    from testbed.drivers.router_ssh import open_router

    routers: list[SshRouter] = []

    def open_one(host: RouterHost = router_host, **changes: object) -> SshRouter:
        routers.append(open_router(host.at(**changes), SystemClock()))
        return routers[-1]

    yield open_one
    for router in routers:
        router.reap()
        router.close()


@dataclass
class Sender:
    """Sends numbered packets to a port nobody else uses."""

    out: socket.socket
    sink: socket.socket

    def poke(self) -> None:
        self.out.sendto(b"beacon", ("127.0.0.1", 47777))

    def send(
        self, n_packets: int, *, word: str = "label", gap_s: float = 0.002
    ) -> None:
        clock = SystemClock()
        for i in range(n_packets):
            self.out.sendto(f"<{word}-{i:06d}>".encode(), self.sink.getsockname())
            clock.sleep(gap_s)


@pytest.fixture
def sender(own_network: None) -> Iterator[Sender]:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink,
    ):
        sink.bind(("127.0.0.1", 0))
        yield Sender(out, sink)
