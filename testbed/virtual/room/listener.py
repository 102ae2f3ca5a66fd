"""The ears in a process of their own: `python -m testbed.virtual.room.listener SEED`.

pocketsphinx holds the interpreter lock while it decodes (30 ms per sentence), which
would hold up everything else that a lab process does. So this child process reads sound
from its standard input and writes what it heard to its standard output, and ends with
its input. A frame of sound is a 4-byte big-endian length and that many bytes of s16le
mono 16 kHz; an answer is a line of JSON.
"""

import json
import struct
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

from testbed.virtual.room.ears import Ears


def serve(source: BinaryIO, sink: BinaryIO, seed: int) -> None:
    """Answer each frame of sound with one line; return at the end of the source.

    The first line, an empty object, says that the model is loaded.
    """
    ears = Ears(seed)
    _tell(sink, {})
    while len(head := source.read(4)) == 4:
        pcm = source.read(struct.unpack(">I", head)[0])
        _tell(sink, asdict(ears.hear(pcm)))


def _tell(sink: BinaryIO, facts: dict[str, Any]) -> None:
    sink.write(json.dumps(facts).encode() + b"\n")
    sink.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[1]))
