"""The least that reading a capture can cost: read it and step from head to head.

    python -m tests.bench.walk CAPTURE

Prints the packets and the seconds of the walk as JSON. The start of Python and numba is
not counted in these seconds: they are a bound, which no program's start can beat.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

from analysis.pcap.jit import kernel

_CHUNK_B = 1 << 20
_PCAPNG = 0x0A0D0D0A
_PACKET = 6


@kernel
def le32(b, p):
    return (
        np.int64(b[p])
        | np.int64(b[p + 1]) << 8
        | np.int64(b[p + 2]) << 16
        | np.int64(b[p + 3]) << 24
    )


@kernel
def step(b, used, at, pcapng):
    """Step over all heads that begin in b[at:used]; return the next place, packets."""
    packets = 0
    while at + 16 <= used:
        if pcapng:
            packets += le32(b, at) == _PACKET
            at += le32(b, at + 4)
        else:
            packets += 1
            at += 16 + le32(b, at + 8)
    return at, packets


def walk(path: Path) -> int:
    """Return the packets of a little-endian capture."""
    buffer = np.zeros(_CHUNK_B + 16, np.uint8)
    packets = 0
    with path.open("rb", buffering=0) as file:
        pcapng = int.from_bytes(file.read(4), "little") == _PCAPNG
        file.seek(0)
        at, kept = (0 if pcapng else 24), 0
        view = memoryview(buffer)
        while got := file.readinto(view[kept : kept + _CHUNK_B]):
            used = kept + got
            at, found = step(buffer, used, at, pcapng)
            packets += found
            kept = max(0, used - at)
            buffer[:kept] = buffer[used - kept : used]
            at -= used - kept
    return packets


def main() -> None:
    """Load the kernel, then walk; print."""
    path = Path(sys.argv[1])
    step(np.zeros(16, np.uint8), 0, 0, True)
    begun = time.perf_counter()
    packets = walk(path)
    print(json.dumps({"packets": packets, "own_s": time.perf_counter() - begun}))


if __name__ == "__main__":
    main()
