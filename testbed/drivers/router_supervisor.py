"""The controller's side of `capture_supervisor.sh`: settings, files, commands.

One folder per capture on the router holds all that the two sides tell each other; it
outlives both, so that the next controller finds what the last one left.
"""

import hashlib
import math
import os
import platform
import posixpath
import shlex
import stat
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.drivers import router_reports
from testbed.errors import DriverGarbledError, DriverRefusedError
from testbed.model.lab import RouterAt
from testbed.model.protocols import CaptureFile

if TYPE_CHECKING:
    import paramiko

    from testbed.drivers.router_link import Answer, SshLink

_HEAD_B = 65536
_MACHINE_ID = Path("/etc/machine-id")
_INSTALL = {
    "tshark": ("apt install tshark", "opkg install tshark"),
    "dumpcap": ("apt install wireshark-common", "opkg install dumpcap"),
    "tcpdump": ("apt install tcpdump", "opkg install tcpdump-mini"),
}


class Supervisor:
    """The supervisor of one capture folder on one router.

    patience_s  how long the tool may take after INT to finish its last file
    """

    def __init__(
        self, link: "SshLink", at: RouterAt, instrument: str, *, patience_s: int
    ) -> None:
        self._link = link
        self._at = at
        self._instrument = instrument
        self._patience_s = patience_s
        self._mark = _mark(at)
        self._folder = ""
        self._beats = 0

    def check(self, request: str, name: str) -> Mapping[str, str]:
        """Return what the router offers; raises DriverRefusedError if not enough."""
        facts = self.offers(request, name)
        if reason := self.shortcoming(facts):
            raise DriverRefusedError(self._instrument, request, reason)
        return facts

    def offers(self, request: str, name: str) -> Mapping[str, str]:
        """Return what the router offers to the capture `name`, enough or not."""
        folder = posixpath.join(self._at.folder, name)
        answer = self._script("check", request, folder, answer_s=20.0)
        return router_reports.parse_pairs(answer.out)

    def orphans(self, request: str) -> tuple[str, ...]:
        """List what captures of this lab left: processes, files not fetched."""
        answer = self._script("orphans", request, self._folder, answer_s=20.0)
        lines = (line.partition("=") for line in answer.out.splitlines())
        return tuple(what for key, _, what in lines if key == "orphan")

    def discard(self, request: str) -> None:
        """Remove the folder of a capture that has ended, with all that is in it."""
        folder = self.path(request)

        def act(sftp: "paramiko.SFTPClient") -> None:
            for place in (f"{folder}/live", f"{folder}/done", folder):
                if _is_there(sftp, place):
                    for name in sftp.listdir(place):
                        remove(sftp, posixpath.join(place, name))
                    sftp.rmdir(place)

        self._link.files(request, act)
        self._folder = ""

    def start(self, request: str, name: str) -> None:
        """Upload the script for the capture `name` and let it run by itself."""
        folder = posixpath.join(self._at.folder, name)
        script = posixpath.join(folder, "supervisor.sh")

        def upload(sftp: "paramiko.SFTPClient") -> None:
            _make_folder(sftp, folder)
            for leftover in ("stop", "status", "log", "out"):
                remove(sftp, posixpath.join(folder, leftover))
            for path, data in (
                (posixpath.join(folder, "lab"), f"{self._mark}\n".encode()),
                (script, _script_text()),
            ):
                with sftp.open(path, "wb") as file:
                    file.write(data)

        self._link.files(request, upload)
        self._folder = folder
        self.beat(request)
        detach = (
            f"S=$(command -v setsid); env {self._settings(folder)} "
            f"$S sh {shlex.quote(script)} run </dev/null >/dev/null "
            f"2>{shlex.quote(posixpath.join(folder, 'shell.log'))} & echo started"
        )
        # by sh, since the login shell may be of any kind
        self._link.run(f"exec sh -c {shlex.quote(detach)}", request, once=True)

    def is_running(self, request: str) -> bool:
        """Say whether a supervisor looks after the capture."""
        answer = self._script("running", request, self.path(request), answer_s=20.0)
        return "running" in router_reports.parse_pairs(answer.out)

    def is_recording(self, request: str) -> bool:
        """Say whether the tool of the capture lives and its supervisor with it.

        A few reads of small files, so that it can be asked every second or two.
        """
        if not self._folder:
            return False
        folder = self._folder

        def act(sftp: "paramiko.SFTPClient") -> bool:
            if _is_there(sftp, posixpath.join(folder, "status")):
                return False
            return all(
                _serves(sftp, posixpath.join(folder, name), folder)
                for name in ("pid", "tool")
            )

        return self._link.files(request, act)

    def beat(self, request: str) -> None:
        """Write something new into the lease."""
        self._beats += 1
        text = f"{id(self):x}.{self._beats}\n"
        self.write(request, "lease", text)

    def reap(self) -> Sequence[str]:
        """End what serves any capture of this lab; return what was ended."""
        answer = self._script(
            "reap", "reap", self._folder, answer_s=self._patience_s + 60.0
        )
        lines = (line.partition("=") for line in answer.out.splitlines())
        return tuple(what for key, _, what in lines if key == "reaped")

    def path(self, request: str, *parts: str) -> str:
        """Return a path in the capture folder; raises when no capture was started."""
        if not self._folder:
            raise DriverRefusedError(
                self._instrument, request, "no capture was started over this connection"
            )
        return posixpath.join(self._folder, *parts)

    def write(self, request: str, name: str, text: str) -> None:
        """Write a small file into the capture folder."""
        path = self.path(request, name)

        def act(sftp: "paramiko.SFTPClient") -> None:
            with sftp.open(path, "wb") as file:
                file.write(text.encode())

        self._link.files(request, act)

    def text(self, request: str, name: str) -> str:
        """Return a small file of the capture folder, '' when it is not there."""
        path = self.path(request, name)

        def act(sftp: "paramiko.SFTPClient") -> bytes:
            try:
                with sftp.open(path, "rb") as file:
                    return file.read()
            except FileNotFoundError:
                return b""

        return self._link.files(request, act).decode("utf-8", "replace")

    def exists(self, request: str, name: str) -> bool:
        """Say whether the capture folder holds `name`."""
        path = self.path(request, name)
        return self._link.files(request, lambda sftp: _is_there(sftp, path))

    def finished(self, request: str) -> tuple[CaptureFile, ...]:
        """Return the files that are indexed and not yet removed."""
        done = self.path(request, "done")

        def present(sftp: "paramiko.SFTPClient") -> set[str]:
            return set(sftp.listdir(done)) if _is_there(sftp, done) else set()

        indexed = router_reports.parse_index(self.text(request, "index"))
        names = self._link.files(request, present)
        return tuple(file for file in indexed if file.name in names)

    def heads(self, request: str) -> list[bytes]:
        """Return the first bytes of each file in writing."""
        live = self.path(request, "live")

        def act(sftp: "paramiko.SFTPClient") -> list[bytes]:
            found = []
            for name in sftp.listdir(live) if _is_there(sftp, live) else ():
                try:
                    with sftp.open(posixpath.join(live, name), "rb") as file:
                        found.append(file.read(_HEAD_B))
                except FileNotFoundError:
                    continue  # finished since it was listed
            return found

        return self._link.files(request, act)

    def shortcoming(self, facts: Mapping[str, str]) -> str:
        """Return why what is offered is not enough, with the remedy, or ''."""
        at = self._at
        on_openwrt = facts.get("system") == "openwrt"
        interfaces = facts.get("interfaces", "").split()
        if "tool" not in facts:
            return (
                f"{at.tool} is not installed; run `{_INSTALL[at.tool][on_openwrt]}` on "
                "the router, or choose another router.tool in lab.yaml"
            )
        if at.interface not in (*interfaces, "any"):
            return (
                f"there is no interface {at.interface!r}; there are: "
                f"{', '.join(interfaces)}; see router.interface in lab.yaml"
            )
        if facts.get("writable") != "yes":
            return f"user {at.user!r} cannot write to {at.folder}; see router.folder"
        if facts.get("private") != "yes":
            return (
                f"{at.folder} is not a folder of user {at.user!r} alone, and others "
                "could put programs there; `chmod 700` it if it belongs to that user, "
                "or name another one as router.folder in lab.yaml"
            )
        free_kb = int(facts.get("free_kb") or 0)
        if free_kb < at.free_mb * 1000:
            return (
                f"{at.folder} has {free_kb // 1000} MB free, less than the floor of "
                f"{at.free_mb} MB; free some, or lower router.free_mb in lab.yaml"
            )
        if facts.get("digest") != "yes":
            return "it has neither sha256sum nor openssl; install one of them there"
        if "running" in facts:
            return (
                f"a capture of this name runs already (process {facts['running']}) for "
                f"another controller; it ends {at.lease:g} s after that one is gone"
            )
        return ""

    def _settings(self, folder: str) -> str:
        at = self._at
        settings = {
            "TB_FOLDER": at.folder,
            "TB_LAB": self._mark,
            "TB_DIR": folder,
            "TB_INTERFACE": at.interface,
            "TB_TOOL": at.tool,
            "TB_POINT": at.point,
            "TB_FILTER": at.filter,
            "TB_ROTATE_S": str(max(1, round(at.rotate))),
            "TB_ROTATE_MB": str(at.rotate_mb),
            "TB_LEASE_S": str(math.ceil(at.lease)),
            "TB_FREE_KB": str(at.free_mb * 1000),
            "TB_PATIENCE_S": str(self._patience_s),
        }
        return " ".join(f"{key}={shlex.quote(one)}" for key, one in settings.items())

    def _script(
        self, mode: str, request: str, folder: str, *, answer_s: float
    ) -> "Answer":
        """Run the script from its text, so that nothing is left on the router."""
        command = f"exec env {self._settings(folder)} sh -s -- {mode}"
        answer = self._link.run(
            command, request, stdin=_script_text(), answer_s=answer_s
        )
        if answer.code != 0:
            said = (answer.err.strip().splitlines() or ["nothing"])[-1]
            raise DriverGarbledError(
                self._instrument,
                request,
                f"its shell ended with code {answer.code} and said: {said}",
            )
        return answer


def _mark(at: RouterAt) -> str:
    """Return what tells the captures of this controller's lab from those of others.

    Labs may share a router and its folder; a lab that comes back has the same mark.
    """
    try:
        machine = _MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        machine = ""
    facts = (machine or platform.node(), os.getuid(), at.interface, at.point, at.beacon)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def remove(sftp: "paramiko.SFTPClient", path: str) -> None:
    """Remove a file; it is no fault when it is gone already."""
    try:
        sftp.remove(path)
    except FileNotFoundError:
        return


def _make_folder(sftp: "paramiko.SFTPClient", path: str) -> None:
    if not _is_there(sftp, path):
        sftp.mkdir(path, 0o700)


def _is_there(sftp: "paramiko.SFTPClient", path: str) -> bool:
    try:
        return stat.S_IFMT(sftp.stat(path).st_mode or 0) != 0
    except FileNotFoundError:
        return False


def _serves(sftp: "paramiko.SFTPClient", pid_file: str, folder: str) -> bool:
    """Say whether the process that a file names lives and serves a capture folder.

    Its command line says that; by now the number may belong to somebody else.
    """
    number = _small(sftp, pid_file).strip().decode("ascii", "replace")
    if not number.isdecimal():
        return False
    words = _small(sftp, f"/proc/{number}/cmdline")
    state = _small(sftp, f"/proc/{number}/stat").rpartition(b") ")[2][:1]
    return folder.encode() in words and state not in (b"", b"Z", b"X")


def _small(sftp: "paramiko.SFTPClient", path: str) -> bytes:
    try:
        with sftp.open(path, "rb") as file:
            return bytes(file.read(_HEAD_B))  # files of /proc tell no size
    except FileNotFoundError:
        return b""
    except OSError:
        # ESRCH has no number in SFTP: has the process just ended, or the link?
        if _is_there(sftp, posixpath.dirname(path)):
            raise
        return b""


def _script_text() -> bytes:
    here = resources.files("testbed.drivers")
    return (here / "capture_supervisor.sh").read_bytes()
