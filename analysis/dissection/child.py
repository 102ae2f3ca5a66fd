"""The process that runs pyshark: `python -m analysis.dissection.child`.

    child CAPTURE LIMIT FILTER    prints one JSON object, and leaves with 0

`{"packets": [...]}`, or `{"error": "one sentence"}` when tshark could not do it.
"""

import json
import os
import re
import signal
import subprocess
import sys
from typing import Any

import pyshark
from pyshark.capture.capture import TSharkCrashException
from pyshark.tshark.tshark import TSharkNotFoundException, get_process_path

from analysis.wireshark import CONFIGURATION

_END_S = 10.0  # how long tshark may take to leave once it has said all
_FILTER_S = 30.0


class _Capture(pyshark.FileCapture):  # type: ignore[misc]  # it has no types
    """A capture that tells how tshark ended.

    pyshark ends tshark when its output is over, which may be before it has left by
    itself with the code that tells of a fault, and ignores the signal that killed it.
    Of a tshark that is gone before the first byte was read, it says nothing at all.
    """

    ended_with: int | None = None

    def _created_new_process(
        self, parameters: Any, process: Any, process_name: str = "TShark"
    ) -> None:
        self._running_processes.add(process)

    async def _cleanup_subprocess(self, process: Any) -> None:
        if self._eof_reached:
            import asyncio

            await asyncio.wait_for(process.wait(), _END_S)
            self.ended_with = process.returncode
        await super()._cleanup_subprocess(process)


def main(arguments: list[str]) -> None:
    """Dissect, and print what was found or why not."""
    path, limit, display_filter = arguments
    if CONFIGURATION in os.environ:
        os.environ["HOME"] = os.environ[CONFIGURATION]
    try:
        answer = _dissected(path, int(limit), display_filter)
    except TSharkNotFoundException:
        answer = {"error": "tshark is not installed; apt install tshark"}
    except TSharkCrashException as exc:
        answer = {"error": _why(path, display_filter) or _crashed(str(exc))}
    except TimeoutError:
        answer = {"error": f"tshark did not end within {_END_S:g} s"}
    except OSError as exc:
        answer = {"error": f"tshark cannot be run: {exc.strerror or exc}"}
    json.dump(answer, sys.stdout)


def _dissected(path: str, limit: int, display_filter: str) -> dict[str, Any]:
    found = []
    with _Capture(
        path, keep_packets=False, display_filter=display_filter or None
    ) as capture:
        for packet in capture:
            found.append(_packet(packet))
            if len(found) >= limit:
                break
    code = capture.ended_with
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return {"error": f"tshark was ended by {name} before it was done"}
    return {"packets": found}


def _packet(packet: Any) -> dict[str, Any]:
    protocols = _value(packet.frame_info, "frame.protocols")
    return {
        "number": int(packet.number),
        "protocols": protocols,
        "source": _end(packet, "src"),
        "target": _end(packet, "dst"),
        "layers": [[layer.layer_name, _lines(layer)] for layer in packet.layers],
    }


def _end(packet: Any, side: str) -> str:
    """Return address and port of one side, as far as the packet has them."""
    address = port = ""
    for layer in packet.layers:
        name = layer.layer_name
        if name in ("eth", "sll", "ip", "ipv6") and not port:
            address = _value(layer, f"{name}.{side}") or address
        elif name in ("tcp", "udp") and not port:
            port = _value(layer, f"{name}.{side}port")
    if port and ":" in address:
        address = f"[{address}]"
    return f"{address}:{port}" if port else address


def _value(layer: Any, name: str) -> str:
    field = layer.get_field(name)
    return "" if field is None else str(field)


def _lines(layer: Any) -> list[str]:
    """Return the fields of a layer as tshark words them."""
    lines = []
    # the public way compares each name with all others: seconds for large layers
    for container in layer._all_fields.values():
        for field in container.all_fields:
            if not field.hide:
                text = field.showname or field.show or field.raw_value
                lines.append(str(text).strip())
    return list(dict.fromkeys(line for line in lines if line and line != "None"))


def _why(path: str, display_filter: str) -> str:
    """Ask tshark again what is wrong, '' where that cannot be the filter."""
    if not display_filter:
        return ""
    command = [get_process_path(), "-n", "-r", path, "-Y", display_filter, "-c", "1"]
    try:
        asked = subprocess.run(
            command, capture_output=True, timeout=_FILTER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    text = asked.stderr.decode(errors="replace")
    said = [line for line in text.splitlines() if line.startswith("tshark:")]
    if asked.returncode <= 0 or not said:
        return ""
    reason = said[0].removeprefix("tshark:").strip().rstrip(".")
    return f"--filter: {display_filter!r} is no display filter: {reason}"


def _crashed(text: str) -> str:
    """Return what pyshark says of a tshark that failed, as one sentence."""
    code = re.search(r"retcode: (-?\d+)", text)
    said = re.search(r"Last error line: (.*)", text)
    reason = said.group(1).strip() if said else ""
    tail = f": {reason}" if reason not in ("", "None") else ""
    return f"tshark failed with code {code.group(1) if code else '?'}{tail}"


if __name__ == "__main__":
    main(sys.argv[1:])
