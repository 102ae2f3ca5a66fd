"""Moments at which a controller can be killed, wrapped around the product's functions.

A moment has a name and a place, such as `journal:before`; the n-th time that a process
comes by is one place to kill it. The product carries none of this: what is wrapped
here is wrapped in the process that the harness starts, and nowhere else.
"""

import errno
import functools
import importlib
import io
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

# what is passed -> its word. A function that other modules have imported by name is
# replaced in each of them.
ROUTER = "testbed.drivers.router_ssh"
WRAPPED = {
    "testbed.runner.journal.store:JournalStore.insert": "journal",
    "testbed.runner.journal.leases:Lease.acquire": "lease.acquire",
    "testbed.runner.journal.leases:Lease.renew": "lease.renew",
    "testbed.runner.journal.leases:Lease.release": "lease.release",
    "testbed.runner.campaigns.folder:make_folder": "folder.make",
    "testbed.runner.campaigns.folder:write_inputs": "folder.inputs",
    "testbed.runner.filing:write_whole": "folder.whole",
    "testbed.runner.campaigns.folder:write_receipt": "folder.receipt",
    "testbed.runner.campaigns.folder:write_manifest": "folder.manifest",
    "testbed.runner.campaigns.folder:Export.rewrite": "export.rewrite",
    "testbed.runner.campaigns.folder:Export.extend": "export.extend",
    "testbed.runner.campaigns.campaign:close_campaign": "close",
    "testbed.runner.recording.capture:RollingCapture.recover": "capture.recover",
    "testbed.cli.packets:tabulate": "label.tables",
    "analysis.labelling:label_campaign": "label.captures",
    f"{ROUTER}:SshRouter.fetch": "fetch",
    f"{ROUTER}:SshRouter._copy": "fetch.copy",
    f"{ROUTER}:_LocalCopy.write": "fetch.chunk",
    f"{ROUTER}:_LocalCopy.finish": "fetch.sync",
    f"{ROUTER}:_sha256": "fetch.check",
    f"{ROUTER}:remove": "fetch.remove",
    f"{ROUTER}:SshRouter.start_capture": "capture.start",
    f"{ROUTER}:SshRouter.stop_capture": "capture.stop",
    f"{ROUTER}:SshRouter.finished_files": "capture.list",
    f"{ROUTER}:SshRouter.reap": "capture.reap",
    "testbed.drivers.router_supervisor:Supervisor.start": "supervisor.start",
    "testbed.virtual.fast.capture:FastCapture.fetch": "fetch",
    "testbed.virtual.fast.capture:FastCapture.start_capture": "capture.start",
    "testbed.virtual.fast.capture:FastCapture.stop_capture": "capture.stop",
    "testbed.virtual.fast.capture:FastCapture.finished_files": "capture.list",
}
SYSTEM = {"replace": "rename", "rename": "rename", "unlink": "unlink"}
FULL = "full:"
_OF_DISKS = {"rename", "open"}


class MomentError(Exception):
    """The product no longer has a function that is to be wrapped."""


@dataclass(slots=True)
class Armed:
    """What one process is to do when it comes by; see `arm`."""

    word: str = ""
    n: int = 0
    is_full: bool = False
    trace: int | None = None
    counts: Counter[str] = field(default_factory=Counter)
    turn: threading.RLock = field(default_factory=threading.RLock)


_ARMED = Armed()


def arm(target: str, trace: str) -> None:
    """Let this process die at `target` (as `journal:before:17`; '' is never).

    Where the target begins with `full:`, the disk is full at that moment instead, and
    from then on.

    trace  a file that each moment is written into as it is passed, '' for none
    """
    word, _, n = target.removeprefix(FULL).rpartition(":")
    _ARMED.word, _ARMED.n = word, int(n or 0)
    _ARMED.is_full = target.startswith(FULL)
    if trace:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        _ARMED.trace = os.open(trace, flags, 0o600)


def passing(word: str) -> None:
    """Note that this process is at a moment; it may be its last one."""
    armed = _ARMED
    if not armed.word and armed.trace is None:
        return
    with armed.turn:
        armed.counts[word] += 1
        if armed.trace is not None:
            os.write(armed.trace, f"{word}:{armed.counts[word]}\n".encode())
        if armed.is_full and armed.word.partition(":")[0] in _OF_DISKS:
            if word == armed.word and armed.counts[word] >= armed.n:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        elif word == armed.word and armed.counts[word] == armed.n:
            die()


def die() -> NoReturn:
    """End this process as `kill -9` does, with all its threads."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody comes here")


def install() -> None:
    """Wrap everything, in this process. Raises MomentError when something is gone."""
    for place, word in WRAPPED.items():
        _wrap(place, word)
    for name, word in SYSTEM.items():
        setattr(os, name, _around(getattr(os, name), word))
    opened = _opening(io.open)
    io.open = opened  # pathlib's
    __builtins__["open"] = opened  # type: ignore[index]
    _listen_to_commits()


def _wrap(place: str, word: str) -> None:
    module_name, _, path = place.partition(":")
    module = importlib.import_module(module_name)
    *owners, name = path.split(".")
    try:
        owner = functools.reduce(getattr, owners, module)
        original = vars(owner)[name] if owners else getattr(owner, name)
    except (AttributeError, KeyError) as exc:
        raise MomentError(f"there is no {place} to be killed at any more") from exc
    wrapped = _around(original, word)
    if owners:
        setattr(owner, name, wrapped)
        return
    for other in list(sys.modules.values()):
        if getattr(other, "__dict__", {}).get(name) is original:
            setattr(other, name, wrapped)


def _around(function: Callable[..., Any], word: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def around(*args: Any, **kwargs: Any) -> Any:
        passing(f"{word}:before")
        result = function(*args, **kwargs)
        passing(f"{word}:after")
        return result

    return around


def _opening(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def opening(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        opened = function(file, mode, *args, **kwargs)
        if not set(mode).isdisjoint("wax"):
            try:
                passing("open:after")  # it is there, and empty
            except OSError:
                opened.close()
                raise
        return opened

    return opening


def _listen_to_commits() -> None:
    import sqlalchemy as sa

    def committing(_connection: object) -> None:
        passing("commit:before")

    sa.event.listen(sa.Engine, "commit", committing)
