"""Packets of a router as they come: the capture tool writes to our SSH link.

Nothing is kept on the router, and no supervisor is needed: when the link goes, the tool
has nobody to write to and ends.
"""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from testbed.drivers import router_reports
from testbed.errors import DriverRefusedError, DriverTimeoutError
from testbed.model.lab import RouterAt

if TYPE_CHECKING:
    import paramiko


INSTRUMENT = "router"
_REQUEST = "capture live"
_LEAST_S = 20.0  # a LAN is never silent for so long: its router is


class LivePackets:
    """The bytes of a capture, in the order in which they come."""

    def __init__(self, channel: "paramiko.Channel", at: RouterAt) -> None:
        self._channel = channel
        self._at = at
        self._received_b = 0

    def read(self, most_b: int) -> bytes:
        """Return some bytes as soon as there are any; none once the tool has ended.

        Raises DriverRefusedError when the tool could not capture, DriverTimeoutError
        when the link was lost.
        """
        try:
            data = self._channel.recv(most_b)
        except TimeoutError as exc:
            reason = f"nothing came for {self._channel.gettimeout():g} s; is it on?"
            raise DriverTimeoutError(INSTRUMENT, _REQUEST, reason) from exc
        if data:
            self._received_b += len(data)
            return data
        self._refuse_if_failed()
        return b""

    def _refuse_if_failed(self) -> None:
        log = self._channel.makefile_stderr("rb").read().decode("utf-8", "replace")
        code = self._channel.recv_exit_status()
        if code < 0:
            reason = "the link was lost; is the router on and its cable in?"
            raise DriverTimeoutError(INSTRUMENT, _REQUEST, reason)
        if code and not self._received_b:
            tool = command_of(self._at)[0]
            reason = router_reports.explain(log, self._at.interface, tool)
            raise DriverRefusedError(INSTRUMENT, _REQUEST, reason)


def command_of(at: RouterAt) -> list[str]:
    """Return the command that writes packets to its output as they come."""
    if at.tool == "tcpdump":
        words = ["tcpdump", "-n", "-U", "--time-stamp-precision=nano"]
        words += ["-i", at.interface, "-w", "-"]
        return [*words, "--", at.filter] if at.filter else words
    # tshark has dumpcap do it, and would only look at every packet besides
    words = ["dumpcap", "-q", "-i", at.interface, "-w", "-"]
    return [*words, "-f", at.filter] if at.filter else words


@contextmanager
def open_live(at: RouterAt, *, silent_s: float = _LEAST_S) -> Iterator[LivePackets]:
    """Capture on a router as long as the context lasts.

    silent_s  after which no byte came it counts as gone

    Raises DriverError with the remedy when it cannot be reached or may not capture.
    """
    from testbed.drivers.router_link import SshLink

    link: SshLink = SshLink(at, INSTRUMENT)
    try:
        channel = link.helper(f"exec {shlex.join(command_of(at))}", _REQUEST)
        channel.settimeout(silent_s)
        try:
            yield LivePackets(channel, at)
        finally:
            channel.close()
    finally:
        link.close()
