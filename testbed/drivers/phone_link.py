"""The connection to one phone: a deadline on every call, and it heals in between.

AndroidViewClient runs in a thread of its own. When a call is not back in time, or
fails in any way, the client is thrown away with its thread; the next call connects the
phone again. A call itself is never repeated.
"""

import concurrent.futures
import logging
import re
import threading
from collections.abc import Callable
from typing import TypeVar

from testbed.clock import Clock, wait_until
from testbed.drivers.adb_server import AdbServer, find_adb
from testbed.drivers.phone_client import (
    FOREIGN_ERRORS,
    Deadline,
    Session,
    TruncatedError,
    open_session,
)
from testbed.errors import (
    DriverError,
    DriverGarbledError,
    DriverRefusedError,
    DriverTimeoutError,
    LabError,
)

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")

# AndroidViewClient's way to say what adb refused: ERROR: b'FAIL' b'000edevice offline'
_ADB_FAIL = re.compile(r"b'FAIL' b'[0-9a-f]{4}(.*?)'")
_ADB_SILENT = re.compile(r"ERROR: b'' b''")  # adb hung up with the phone
READY_S = 8.0
_OPEN_S = 15.0  # for AndroidViewClient's questions at the start, about 15 shells
_GRACE_S = 0.5  # the sockets keep the deadline; a thread that does not is left behind
_REPLUG_S = 1.0  # between two attempts to connect


class PhoneLink:
    """One phone behind our own adb server. Safe to call from several threads.

    network  whether the phone is reached over TCP and has to be connected first
    ready_s  how long a phone that was away may take to be usable again
    """

    def __init__(
        self,
        serial: str,
        server: AdbServer,
        *,
        network: bool,
        clock: Clock,
        ready_s: float = READY_S,
    ) -> None:
        self.serial = serial
        self._server = server
        self._network = network
        self._clock = clock
        self._ready_s = ready_s
        self._lock = threading.RLock()
        self._session: Session | None = None
        self._worker: concurrent.futures.ThreadPoolExecutor | None = None

    def call(
        self, request: str, act: Callable[[Session], _Answer], *, timeout_s: float
    ) -> _Answer:
        """Do `act` with a working session; return what it returns.

        request  what is asked, in words, for the message of an error

        Raises DriverError; the act may then have happened or not.
        """
        with self._lock:
            session = self._ready(request)
            return self._within(request, lambda: act(session), session, timeout_s)

    def close(self) -> None:
        """Drop the client; the next call would open a new one."""
        with self._lock:
            session, self._session = self._session, None
            if session is not None:
                session.deadline.cut()
            worker, self._worker = self._worker, None
            if worker is not None:
                worker.shutdown(wait=False, cancel_futures=True)

    def _ready(self, request: str) -> Session:
        """Return the session; opens one where there is none that works."""
        session = self._session
        if session is not None and session.client.serialno == self.serial:
            return session
        self.close()  # AndroidViewClient may have moved on to a phone of a like serial
        self._plug(request)
        try:
            adb = find_adb()
        except LabError as exc:
            raise DriverRefusedError("adb", request, str(exc)) from exc
        deadline = Deadline(self._clock)
        port = self._server.port
        opened = self._within(
            request,
            lambda: open_session(self.serial, port, deadline, adb),
            deadline,
            _OPEN_S,
        )
        self._session = opened
        return opened

    def _within(
        self,
        request: str,
        act: Callable[[], _Answer],
        limit: Session | Deadline,
        timeout_s: float,
    ) -> _Answer:
        deadline = limit.deadline if isinstance(limit, Session) else limit
        deadline.begin(timeout_s)
        if self._worker is None:
            self._worker = concurrent.futures.ThreadPoolExecutor(1, "phone")
        works = False
        try:
            answer = self._worker.submit(act).result(timeout_s + _GRACE_S)
            works = True
        except FOREIGN_ERRORS as exc:
            late = deadline.expired or isinstance(exc, TimeoutError)
            raise self._translated(request, exc, timeout_s if late else None) from exc
        finally:
            if not works:  # Ctrl-C too leaves the client in the middle of something
                deadline.cut()
                self.close()
        return answer

    def _translated(
        self, request: str, exc: BaseException, late_s: float | None
    ) -> DriverError:
        name = f"phone {self.serial}"
        if late_s is not None:
            reason = f"no answer within {late_s:g} s; is it on, awake and connected?"
            return DriverTimeoutError(name, request, reason)
        if isinstance(exc, TruncatedError):
            reason = f"{exc}; did the phone or its cable drop out?"
            return DriverGarbledError(name, request, reason)
        said = " ".join(str(exc).split()) or type(exc).__name__
        if refusal := _ADB_FAIL.search(said):
            said = f"adb says {refusal[1]}; check its cable or its Wi-Fi"
        elif _ADB_SILENT.search(said):
            said = "the phone is offline; check its cable or network"
        return DriverRefusedError(name, request, said)

    def _plug(self, request: str) -> None:
        """Wait until our adb server runs and has the phone as a `device`."""
        state, trouble = "", ""
        last_s = self._clock.monotonic_s() - _REPLUG_S

        def usable() -> bool:
            nonlocal state, trouble, last_s
            try:
                self._server.start()
                state = self._server.states().get(self.serial, "")
                now_s = self._clock.monotonic_s()
                if self._network and state != "device" and now_s - last_s >= _REPLUG_S:
                    last_s = now_s
                    said = self._server.reconnect(self.serial)
                    _log.debug("%s was %s: %s", self.serial, state or "absent", said)
                trouble = ""
            except (LabError, DriverError) as exc:  # a server that is just dying, too
                trouble = str(exc)
            return not trouble and state in ("device", "unauthorized")

        wait_until(usable, clock=self._clock, deadline_s=self._ready_s, poll_s=0.1)
        if trouble or state != "device":
            reason = trouble or self._why_not(state)
            raise DriverRefusedError(f"phone {self.serial}", request, reason)

    def _why_not(self, state: str) -> str:
        if state == "unauthorized":
            return "not authorised; unlock it and allow USB debugging for this computer"
        if state:
            return f"adb says it is {state}; check its cable or its Wi-Fi"
        others = ", ".join(sorted(self._server.states())) or "none"
        return f"adb does not see it; the phones it sees are: {others}"
