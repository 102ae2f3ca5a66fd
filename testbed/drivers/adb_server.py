"""Our own adb server: supervised, alone on its port, gone when we are.

The server runs in the foreground with a HOME and a TMPDIR of its own. Nothing here
calls the `adb` command line, which would start a second server behind our back; the
few requests that are needed go to the server's socket directly.
"""

import contextlib
import logging
import os
import re
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from testbed.clock import Clock, wait_until
from testbed.errors import DriverRefusedError, DriverTimeoutError, LabError

_log = logging.getLogger(__name__)

HOST = "127.0.0.1"
_OURS = ("ADB_", "ANDROID_")  # variables that we alone decide on
_START_S = 10.0
_STOP_S = 3.0
_REQUEST_S = 12.0  # `host:connect` itself gives up after 10 s


class AdbServer:
    """The adb server of one lab, on one port of the loopback interface.

    usb        whether it may claim phones on USB
    emulators  whether it looks for emulators on ports 5555-5585
    home       where the host's key is kept: phones remember it, so it must last
    """

    def __init__(
        self,
        port: int,
        *,
        clock: Clock,
        usb: bool,
        emulators: bool = False,
        home: Path | None = None,
    ) -> None:
        self.port = port
        self._clock = clock
        self._usb = usb
        self._emulators = emulators
        self._home = home or _default_home()
        self._process: subprocess.Popen[bytes] | None = None
        self._scratch: Path | None = None

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server."""
        self.stop()

    @property
    def running(self) -> bool:
        """Say whether the server that we started is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server; return once it answers. Does nothing when it runs.

        Raises LabError when adb is missing, the port is taken or it does not start.
        """
        if self.running:
            return
        self.stop()
        program = find_adb()
        if _is_taken(self.port):
            raise LabError(self._taken())
        self._scratch = self._home / f"port-{self.port}"  # of one that was killed, too
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._scratch.mkdir(mode=0o700, exist_ok=True)
        self._spawn(program)
        answers = wait_until(self._settled, clock=self._clock, deadline_s=_START_S)
        if not answers or not self.running:
            words = self._last_words()
            self.stop()
            raise LabError(
                self._taken()
                if "in use" in words
                else f"the adb server on port {self.port} does not start: {words}"
            )

    def stop(self) -> None:
        """End the server and remove its scratch folder; safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    def states(self) -> dict[str, str]:
        """Return serial -> state: 'device', 'offline', 'unauthorized', ..."""
        lines = self.ask("host:devices").splitlines()
        return dict(line.split("\t", 1) for line in lines if "\t" in line)

    def reconnect(self, serial: str) -> str:
        """Connect a network phone anew; return what the server says.

        After a phone was away, plain `connect` says 'already connected' and leaves
        it offline for good, so the entry is dropped first.
        """
        with contextlib.suppress(DriverRefusedError):  # it was not connected at all
            self.ask(f"host:disconnect:{serial}")
        return self.ask(f"host:connect:{serial}")

    def ask(self, service: str, timeout_s: float = _REQUEST_S) -> str:
        """Send one request to the server; return its answer.

        Raises DriverRefusedError when it says FAIL, DriverTimeoutError when it says
        nothing in time or is gone.
        """
        request = service.encode()
        try:
            with socket.create_connection((HOST, self.port), timeout_s) as link:
                link.sendall(b"%04x%s" % (len(request), request))
                verdict = _read(link, 4)
                size = int(_read(link, 4), 16) if verdict in (b"OKAY", b"FAIL") else 0
                text = _read(link, size).decode(errors="replace")
        except (OSError, ValueError) as exc:
            reason = f"no answer from the adb server on port {self.port}: {exc}"
            raise DriverTimeoutError("adb", service, reason) from exc
        if verdict != b"OKAY":
            raise DriverRefusedError("adb", service, text.strip() or repr(verdict))
        return text

    def _spawn(self, program: str) -> None:
        """Start the process from a thread that lives as long as it does.

        The kernel ends the server when its parent *thread* ends, so that a caller's
        short-lived thread must not be the parent.
        """
        command = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        command += [program, "-P", str(self.port), "nodaemon", "server"]
        started = threading.Event()
        thread = threading.Thread(
            target=self._keep, args=(command, started), name="adb-keeper", daemon=True
        )
        thread.start()
        started.wait()

    def _keep(self, command: list[str], started: threading.Event) -> None:
        assert self._scratch is not None  # noqa: S101 - set by start
        try:
            with self._log_file().open("wb") as log:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._environment(self._scratch),
                    start_new_session=True,  # Ctrl-C is for us, not for adb
                )
            self._process = process
        finally:
            started.set()
        process.wait()

    def _environment(self, scratch: Path) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
        own_keys = Path.home() / ".android" / "adbkey"
        extra = {"ADB_VENDOR_KEYS": str(own_keys)} if own_keys.is_file() else {}
        return {
            **kept,
            **extra,
            "HOME": str(self._home),
            "TMPDIR": str(scratch),
            "ADB_EMU": "1" if self._emulators else "0",
            "ADB_MDNS": "0",
            "ADB_USB": "1" if self._usb else "0",
        }

    def _settled(self) -> bool:
        if not self.running:
            return True
        try:
            return bool(self.ask("host:version", timeout_s=1.0))
        except (DriverTimeoutError, DriverRefusedError):
            return False

    def _log_file(self) -> Path:
        assert self._scratch is not None  # noqa: S101 - set by start
        return self._scratch / "adb.log"

    def _last_words(self) -> str:
        text = self._log_file().read_text(errors="replace") if self._scratch else ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return re.sub(r"^.*?(cannot|error|failed)", r"\1", " / ".join(lines[-2:]))

    def _taken(self) -> str:
        return (
            f"port {self.port}, wanted for our own adb server, is taken; end what uses "
            f"it (`adb -P {self.port} kill-server` if it is adb) or give another "
            "adb_port in lab.yaml"
        )


def find_adb() -> str:
    """Return the path of the adb program; raises LabError when there is none."""
    program = shutil.which("adb")
    if program is None:
        raise LabError("the program adb is missing; install it: sudo apt install adb")
    return program


def _default_home() -> Path:
    lab = os.environ.get("TESTBED_LAB_STATE")
    if lab:
        return Path(lab) / "adb"
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local/state") / "testbed/adb"


def _is_taken(port: int) -> bool:
    """Say whether something listens on the port already."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def _read(link: socket.socket, n_bytes: int) -> bytes:
    data = b""
    while len(data) < n_bytes:
        part = link.recv(n_bytes - len(data))
        if not part:
            raise ConnectionError("it hung up")
        data += part
    return data
