"""The seam to AndroidViewClient: one client with its traps taken out.

What AndroidViewClient 25 does by itself, and what is done about it here:

- its shell() gives partial output without a word after a timeout: every command is
  followed by a mark with the exit status, and output without the mark is an error;
- each of its requests arms several Timer threads that cannot interrupt anything: the
  timers are replaced by one deadline that every socket operation keeps;
- it spins when the other side hangs up in the middle of an answer, and leaves sockets
  open: both are the business of our own socket class;
- it takes the serial for a regular expression: an exact one goes in, and the caller
  compares what came out before each use;
- it writes to sys.stderr: inside its modules that is a writer to the log.

Its connectToDeviceOrExit (arms SIGALRM, reads sys.argv) is never called.
"""

import functools
import importlib
import io
import logging
import re
import socket
import sys
import threading
import warnings
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from testbed.clock import Clock
from testbed.drivers import tap
from testbed.drivers.adb_server import HOST

_log = logging.getLogger(__name__)
_MARK = b"testbed-status="
_PACKAGE = "com.dtmilano.android"
_FOCUS = re.compile(r"mCurrentFocus=Window\{\S+ \S+ ([^}]+)\}")
_TRUNCATES = 24  # from this API on, AndroidViewClient empties the file before a dump

# All that AndroidViewClient lets out for a phone or a server that misbehaves: it has no
# errors of its own, and trips over answers that it does not expect.
FOREIGN_ERRORS = (
    RuntimeError,
    OSError,
    SystemExit,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
)


class TruncatedError(RuntimeError):
    """The output of a command ended before the command did."""


class Deadline:
    """When the call that is under way must end, for all of a client's sockets.

    answered_ns  ns UTC at which the exit status of the last command arrived
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.answered_ns: int | None = None
        self._end_s = clock.monotonic_s()
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._over = False

    def begin(self, timeout_s: float) -> None:
        """Give the next call `timeout_s` seconds."""
        self._end_s = self.clock.monotonic_s() + timeout_s

    @property
    def left_s(self) -> float:
        """Return the seconds left; raises TimeoutError when there are none."""
        left_s = self._end_s - self.clock.monotonic_s()
        if left_s <= 0:
            raise TimeoutError("the deadline has passed")
        return left_s

    @property
    def expired(self) -> bool:
        """Say whether no time is left."""
        return self.clock.monotonic_s() >= self._end_s

    def connect(self, host: str, port: int, timeout: float = 0.0) -> socket.socket:
        """Open a socket to the adb server in place of the last one.

        timeout  what AndroidViewClient asks for; the deadline counts instead
        """
        left_s = self.left_s
        with self._lock:
            if self._over:
                raise ConnectionError("the client was thrown away")
            self._close()
            link = self._socket = _Socket(self)
        link.settimeout(left_s)
        link.connect((host, port))
        return link

    def cut(self) -> None:
        """End the client for good; a thread that waits in it wakes up with an error."""
        with self._lock:
            self._over = True
            self._close()

    def _close(self) -> None:
        link, self._socket = self._socket, None
        if link is not None:
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it was not connected any more
            finally:
                link.close()


class _Socket(socket.socket):
    """A socket whose every operation ends by the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_STREAM)
        self._deadline = deadline

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Receive; notes when the mark of a command's end went by."""
        self.settimeout(self._deadline.left_s)
        data = super().recv(bufsize, flags)
        if _MARK in data:
            self._deadline.answered_ns = self._deadline.clock.now_ns()
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Receive into `buffer`; a peer that hung up is an error, not 0 bytes."""
        self.settimeout(self._deadline.left_s)
        n_bytes = super().recv_into(buffer, nbytes, flags)
        if n_bytes == 0 and len(buffer):
            raise ConnectionError("the adb server hung up")
        return n_bytes


class _NoTimer:
    """What stands for a Timer thread: it equals 'EXPIRED' once time is up."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def __eq__(self, other: object) -> bool:
        return other == "EXPIRED" and self._deadline.expired

    __hash__ = None  # type: ignore[assignment] # equality changes with time


@dataclass(kw_only=True)
class Session:
    """A client and its view client, as long as they work."""

    deadline: Deadline
    client: Any
    views: Any
    serial: str

    def shell(self, command: str) -> str:
        """Run a command on the phone; raises RuntimeError when it fails."""
        output: str = self.client.shell(command)
        self.require_success(command)
        return output

    def start(self, package: str) -> None:
        """Bring an app to the front; raises RuntimeError when it is not there."""
        try:
            self.client.startActivity(package=package)
        except RuntimeError as exc:
            if "cannot resolve activity" not in str(exc):
                raise
            raise RuntimeError("it is not installed; install the app") from exc

    def require_success(self, command: str) -> None:
        """Raise RuntimeError unless the last command ended with status 0."""
        if self.client.status != 0:
            text = self.client.output.decode(errors="replace").strip()
            raise RuntimeError(f"{command!r} ended with {self.client.status}: {text}")

    def focus(self) -> str:
        """Return the title of the window in front, '' when the phone does not say."""
        for part in ("displays", "windows"):  # since Android 10, and before
            text = self.client.shell(f"dumpsys window {part}")
            if named := _FOCUS.search(text):
                return str(named[1])
        return ""

    def size(self) -> tuple[int, int]:
        """Return width and height of the screen in pixels, as it is held now."""
        display = self.client.display
        width, height = int(display["width"]), int(display["height"])
        return (height, width) if display.get("orientation", 0) % 2 else (width, height)

    def picture(self) -> Any:
        """Return what the screen shows now as a PIL image."""
        image = self.client.takeSnapshot(reconnect=True)
        tap.tell("framebuffer:", f"{image.width}x{image.height}", 0, 0.0)  # not pixels
        return image

    def dump(self) -> "tuple[View, ...]":
        """Return what the screen shows now, never what it showed before.

        The phone could say what it said before in two ways: the file of an earlier
        dump (removed first, as AndroidViewClient does so from Android 7 on only), and
        a tree that is itself old (see `phone_screen`).
        """
        if self.views.getSdkVersion() < _TRUNCATES:
            self.client.shell("rm -f /sdcard/window_dump.xml")
        self.views.root, self.views.views = None, []
        self.views.dump(sleep=0)
        return tuple(
            View(
                resource_id=v.getId() or "",
                text=v.getText() or "",
                description=v.getContentDescription() or "",
                package=v.map.get("package", ""),
                kind=v.map.get("class", ""),
                clickable=v.map.get("clickable") == "true",
                bounds=v.getBounds(),
            )
            for v in self.views.views
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One view of a dump; `bounds` are ((left, top), (right, bottom)) in pixels."""

    resource_id: str
    text: str
    description: str
    package: str
    clickable: bool
    kind: str = ""
    bounds: tuple[tuple[int, int], tuple[int, int]] = field(default=((0, 0), (0, 0)))

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Return left, top, right, bottom in pixels."""
        (left, top), (right, bottom) = self.bounds
        return left, top, right, bottom


def open_session(serial: str, port: int, deadline: Deadline, adb: str) -> Session:
    """Return a working session with the phone `serial`.

    adb  path of the adb program; AndroidViewClient wants to know it

    Raises one of FOREIGN_ERRORS.
    """
    exact = f"{re.escape(serial)}$"
    client = _client_class()(exact, HOST, port, deadline)
    if client.serialno != serial:
        raise RuntimeError(f"asked for {serial}, got {client.serialno}")
    views = _module("viewclient").ViewClient(client, serial, adb=adb, autodump=False)
    return Session(deadline=deadline, client=client, views=views, serial=serial)


@functools.cache
def _client_class() -> Any:
    base: Any = _module("adb.adbclient").AdbClient

    class MarkedClient(base):  # type: ignore[misc] # AndroidViewClient has no types
        """AdbClient with a mark after each command and no Timer threads."""

        def __init__(
            self, serial: str, host: str, port: int, deadline: Deadline
        ) -> None:
            self._deadline = deadline
            self.status, self.output = 0, b""
            super().__init__(serial, host, port, connect=deadline.connect)

        def shell(self, command: str, as_text: bool = True) -> str | bytes:
            self._deadline.answered_ns = None
            asked_s = self._deadline.clock.monotonic_s()
            marked = f"{command}; echo {_MARK.decode()}$?"
            raw: bytes = super().shell(marked, False)
            if self._deadline.answered_ns is None:  # the mark came in two pieces
                self._deadline.answered_ns = self._deadline.clock.now_ns()
            body, mark, status = raw.rpartition(_MARK)
            if not mark or not status.strip().isdigit():
                raise TruncatedError(f"the answer to {command!r} was cut off")
            self.status, self.output = int(status), body
            took_s = self._deadline.clock.monotonic_s() - asked_s
            tap.tell(command, body.decode(errors="replace"), self.status, took_s)
            return body.decode(errors="replace") if as_text else body

        def setTimer(self, timeout: float, description: str = "") -> int:  # noqa: N802
            self.timerId += 1
            self.timers[self.timerId] = _NoTimer(self._deadline)
            return int(self.timerId)

        def cancelTimer(self, timerId: int) -> None:  # noqa: N802, N803
            self.timers.pop(timerId, None)

    return MarkedClient


@functools.cache
def _module(name: str) -> ModuleType:
    """Import a module of AndroidViewClient; what it prints goes to the log."""
    with warnings.catch_warnings():
        # its sources have invalid escapes and old imports, which are not ours to fix
        warnings.simplefilter("ignore")
        module = importlib.import_module(f"{_PACKAGE}.{name}")
    vars(module)["sys"] = _QuietSys()
    return module


class _QuietSys:
    """The module sys as AndroidViewClient sees it: with a stderr that is the log."""

    def __init__(self) -> None:
        self.stderr = _LogWriter()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


class _LogWriter(io.TextIOBase):
    def write(self, text: str) -> int:
        """Log each line that says something."""
        for line in text.splitlines():
            if line.strip(" o"):  # it prints dots in the shape of an o
                _log.info("AndroidViewClient: %s", line)
        return len(text)
