"""Run the process that dissects, and take what it says with care."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.dissection.printable import printable
from analysis.errors import AnalysisError
from analysis.wireshark import undisturbed

_CHILD = "analysis.dissection.child"
_ANSWER_S = 60.0
_TRANSPORTS = ("tcp", "udp", "icmp", "icmpv6", "igmp", "arp")


class InspectError(AnalysisError):
    """Packets cannot be shown: a wrong filter, no tshark, or one that failed."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One protocol of a packet, and its fields in tshark's words."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dissected:
    """One packet, dissected; all texts are safe to show.

    number          of the packet in the file, from 1
    protocols       as tshark names them, outermost first: 'eth:ethertype:ip:tcp:http'
    source, target  address and port, as far as there are any
    """

    number: int
    protocols: str
    source: str
    target: str
    layers: tuple[Layer, ...]

    @property
    def said(self) -> tuple[Layer, ...]:
        """The layers above the transport: what the two sides say to each other."""
        names = [layer.name for layer in self.layers]
        last = max((names.index(n) for n in _TRANSPORTS if n in names), default=-1)
        return self.layers[last + 1 :]


def dissect(
    path: Path, *, display_filter: str = "", limit: int
) -> tuple[Dissected, ...]:
    """Return the first `limit` packets of a capture that the display filter takes.

    For small files: pyshark reads some 200 packets a second. Blocks until all is done;
    works in any thread, inside a running event loop too.

    Raises InspectError for a bad filter, and when tshark is missing, fails, is killed
    or gives no answer within a minute.
    """
    answer = _asked([str(path), str(limit), display_filter])
    if "error" in answer:
        raise InspectError(printable(str(answer["error"])))
    return tuple(_dissected(each) for each in answer["packets"])


def _asked(arguments: Sequence[str]) -> dict[str, Any]:
    root = str(Path(__file__).parents[2])
    search = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    # -P: whatever lies in the current folder is no module of ours
    command = [sys.executable, "-P", "-m", _CHILD, *arguments]
    try:
        with undisturbed() as environment:
            # packages of ours may lie at home: the child takes the empty one for tshark
            home = {k: v for k, v in os.environ.items() if k == "HOME"}
            done = subprocess.run(
                command,
                env={**environment, **home, "PYTHONPATH": os.pathsep.join(search)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_ANSWER_S,
                check=False,
            )
    except subprocess.TimeoutExpired as exc:
        reason = f"gave no answer within {_ANSWER_S:g} s; ask for fewer packets"
        raise InspectError(f"pyshark {reason}") from exc
    try:
        answer = json.loads(done.stdout)
    except ValueError as exc:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        reason = printable(lines[-1]) if lines else f"code {done.returncode}"
        raise InspectError(f"pyshark ended without an answer: {reason}") from exc
    if not isinstance(answer, dict):
        raise InspectError("pyshark gave an answer that is none of ours")
    return answer


def _dissected(data: dict[str, Any]) -> Dissected:
    layers = tuple(
        Layer(name=printable(name), lines=tuple(printable(line) for line in lines))
        for name, lines in data["layers"]
    )
    return Dissected(
        number=data["number"],
        protocols=printable(data["protocols"]),
        source=printable(data["source"]),
        target=printable(data["target"]),
        layers=layers,
    )
