"""What a router sees around it, asked without a packet on the captured side.

The kernel's own table of a bridge is read as a file, which needs no program there. A
router whose captured interface is no bridge is asked by `iw` and `ip` instead.
"""

import posixpath
import re
import shlex
import struct
from typing import TYPE_CHECKING

from testbed.errors import DriverGarbledError, DriverRefusedError

if TYPE_CHECKING:
    import paramiko

    from testbed.drivers.router_link import SshLink

CONNECT_S = 4.0
_ANSWER_S = 10.0
_TABLE_B = 1 << 20
# struct __fdb_entry of linux/if_bridge.h: MAC, port, is_local, age in 1/100 s, ...
_ENTRY = struct.Struct("=6sBBI4x")
_NEIGHBOUR = re.compile(r"lladdr (\S+) .*?used \d+/(\d+)/\d+")
_STATION = re.compile(r"^Station (\S+)")
_INACTIVE = re.compile(r"inactive time:\s*(\d+) ms")


class RouterLookout:
    """Looks through one SSH link; keeps the promises of `Lookout`.

    interface  the captured one
    folder     where captures are written
    """

    def __init__(
        self, link: "SshLink", instrument: str, interface: str, folder: str
    ) -> None:
        self._link = link
        self._instrument = instrument
        self._interface = interface
        self._folder = folder

    def free_b(self) -> int:
        """Return how many bytes are free where captures are written."""
        request = "look for free space"
        folder, above = self._folder, posixpath.dirname(self._folder)
        # the folder itself is made with the first capture, and lost with a reboot
        command = (
            f"df -Pk {shlex.quote(folder)} 2>/dev/null || df -Pk {shlex.quote(above)}"
        )
        answer = self._link.run(
            f"exec sh -c {shlex.quote(command)}", request, answer_s=_ANSWER_S
        )
        try:
            return 1024 * int(answer.out.splitlines()[-1].split()[3])
        except (IndexError, ValueError) as exc:
            said = (answer.out + answer.err).strip() or "nothing"
            raise DriverGarbledError(
                self._instrument, request, f"its df said {said.splitlines()[-1]!r}"
            ) from exc

    def heard_s(self, mac: str) -> float | None:
        """Return how many seconds ago `mac` was last heard; None where unknown."""
        request = f"look when {mac} was heard"
        path = f"/sys/class/net/{self._interface}/brforward"

        def read(sftp: "paramiko.SFTPClient") -> bytes | None:
            try:
                with sftp.open(path, "rb") as file:
                    return bytes(file.read(_TABLE_B))
            except FileNotFoundError:
                return None

        table = self._link.files(request, read)
        if table is not None:
            return parse_bridge(table).get(mac.lower())
        name = shlex.quote(self._interface)
        command = (
            f"iw dev {name} station dump 2>/dev/null; "
            f"ip -s neigh show dev {name} 2>/dev/null"
        )
        answer = self._link.run(
            f"exec sh -c {shlex.quote(command)}", request, answer_s=_ANSWER_S
        )
        return parse_neighbours(answer.out).get(mac.lower())

    def internet_ok(self, host_port: str) -> bool:
        """Say whether a TCP connection from the router to `host:port` opens.

        Its sshd makes it, as for `ssh -L`. Raises DriverRefusedError where that is
        forbidden.
        """
        host, _, port = host_port.rpartition(":")
        request = f"connect to {host_port}"
        if not host or not port.isdecimal():
            raise DriverRefusedError(self._instrument, request, "it is no host:port")
        opened = self._link.forwards(host, int(port), request, CONNECT_S)
        if opened is None:
            raise DriverRefusedError(
                self._instrument,
                request,
                "its sshd forwards no connections; allow them (`AllowTcpForwarding "
                "local`), or do not name limits.internet in lab.yaml",
            )
        return opened


def parse_bridge(table: bytes) -> dict[str, float]:
    """Return MAC -> seconds since it was heard, of a bridge's forwarding table."""
    whole = len(table) // _ENTRY.size * _ENTRY.size
    return {
        mac.hex(":"): hundredths / 100
        for mac, _, is_local, hundredths in _ENTRY.iter_unpack(table[:whole])
        if not is_local
    }


def parse_neighbours(text: str) -> dict[str, float]:
    """Return the same of what `iw ... station dump` and `ip -s neigh` print."""
    heard: dict[str, float] = {}
    station = ""
    for line in text.splitlines():
        if match := _STATION.match(line):
            station = match[1].lower()
        elif (match := _INACTIVE.search(line)) and station:
            _note(heard, station, int(match[1]) / 1000)
        elif match := _NEIGHBOUR.search(line):
            _note(heard, match[1].lower(), float(match[2]))
    return heard


def _note(heard: dict[str, float], mac: str, ago_s: float) -> None:
    heard[mac] = min(ago_s, heard.get(mac, ago_s))
