"""Process 1 of a lab: builds it, watches it, and takes all of it along when it ends."""

import contextlib
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from testbed.clock import SystemClock, wait_until
from testbed.errors import LabError, TestbedError
from testbed.virtual.live import kernel, network, router, topology, wan
from testbed.virtual.live.config import LiveConfig, forget, write_atomically

_STARTED_WITHIN_S = 20.0
_ENDED_WITHIN_S = 2.0


def main(state: Path) -> int:
    """Build the lab of a state folder, then live until told to end."""
    os.chdir("/")
    config = LiveConfig.load(state)
    try:
        children = _build(config)
    except (TestbedError, OSError) as exc:
        traceback.print_exc()
        write_atomically(state / "failed.json", json.dumps({"reason": str(exc)}))
        return 1
    write_atomically(state / "ready.json", json.dumps({"ready": True}))
    return _Watch(config, children).run()


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A process without which the lab is no lab."""

    name: str
    pid: int


def _build(config: LiveConfig) -> list[Child]:
    _mask_run(config.state)
    _own_names(config.state)
    kernel.show_own_interfaces()
    in_kernel = network.build(config.macs, config.wan_delay_s, config.wan_loss)
    router.prepare(config)
    children = [_fork("sshd", lambda: router.keep_sshd(config.state))]
    if not in_kernel:
        children.append(_fork("wire", lambda: wan.run(config)))
    told, tell = os.pipe()
    children.append(_fork("house", lambda: _house(config, tell)))
    os.close(tell)
    _await_house(told)
    _await_sshd()
    return children


def _mask_run(state: Path) -> None:
    """Give the lab an empty /run in which nothing of the machine answers."""
    folder = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    kernel.mount_memory("/run")
    for name in ("netns", "sshd"):
        (Path("/run") / name).mkdir()
    if state.is_relative_to("/run"):
        state.mkdir(parents=True)
        kernel.bind(f"/proc/self/fd/{folder}", state)
        os.chdir(state)
    os.close(folder)


def _own_names(state: Path) -> None:
    """Let programs ask the lab's own name server and no other."""
    own = state / "resolv.conf"
    own.write_text(f"nameserver {topology.MGMT_ROUTER}\n", encoding="ascii")
    target = Path("/etc/resolv.conf").resolve()
    if target.is_relative_to("/run"):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    if not target.exists():
        raise LabError("/etc/resolv.conf is missing; sudo touch /etc/resolv.conf")
    kernel.bind(own, target)


def _fork(name: str, act: Callable[[], object]) -> Child:
    pid = os.fork()
    if pid:
        return Child(name=name, pid=pid)
    try:
        act()
    except (TestbedError, OSError):
        traceback.print_exc()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)


def _house(config: LiveConfig, tell: int) -> NoReturn:
    # Late, since these are the heavy imports, and process 1 needs none of them.
    from testbed.virtual.live import household

    try:
        household.main(config, ready=lambda: _say(tell, "ready"))
    except (TestbedError, OSError) as exc:
        _say(tell, str(exc))
        raise
    os._exit(0)


def _say(tell: int, what: str) -> None:
    with contextlib.suppress(OSError):
        os.write(tell, what.encode())
        os.close(tell)


def _await_house(told: int) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(told, selectors.EVENT_READ)
        heard = selector.select(_STARTED_WITHIN_S)
    answer = os.read(told, 4096).decode() if heard else "it did not start in time"
    os.close(told)
    if answer != "ready":
        reason = answer or "it ended without a word"
        raise LabError(f"the virtual house did not start: {reason}")


def _await_sshd() -> None:
    def answers() -> bool:
        try:
            with socket.create_connection((topology.MGMT_ROUTER, 22), 1.0) as found:
                return found.recv(4) == b"SSH-"
        except OSError:
            return False

    if not wait_until(answers, clock=SystemClock(), deadline_s=5.0, poll_s=0.02):
        raise LabError("the virtual router's sshd does not answer")


class _Watch:
    """Wait for the first of: SIGTERM, the owner's end, the end of a child."""

    def __init__(self, config: LiveConfig, children: list[Child]) -> None:
        self._children = {child.pid: child for child in children}
        self._state = config.state
        self._lifeline = 0 if config.lifeline else None
        self._end: int | None = None

    def run(self) -> int:
        wake, woken = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        with selectors.DefaultSelector() as selector:
            selector.register(wake, selectors.EVENT_READ)
            if self._lifeline is not None:
                selector.register(self._lifeline, selectors.EVENT_READ)
            self._reap()
            while self._end is None:
                for key, _ in selector.select():
                    if key.fd == self._lifeline:
                        self._end = 0  # the owner is gone
                    else:
                        os.read(wake, 4096)
                self._reap()
        self._let_house_finish()
        forget(self._state)  # the owner may be gone
        return self._end

    def _stop(self, *_: object) -> None:
        self._end = 0

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is not None and self._end is None:
                sys.stderr.write(f"lab: {child.name} ended ({status}); so does all\n")
                self._end = 1

    def _let_house_finish(self) -> None:
        pids = [c.pid for c in self._children.values() if c.name == "house"]
        for pid in pids:
            os.kill(pid, signal.SIGTERM)

        def gone() -> bool:
            self._reap()
            return not any(pid in self._children for pid in pids)

        wait_until(gone, clock=SystemClock(), deadline_s=_ENDED_WITHIN_S, poll_s=0.02)
