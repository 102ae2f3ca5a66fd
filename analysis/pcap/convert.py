"""Turn any readable capture into a pcapng file that is not packed."""

import shutil
from pathlib import Path

import numpy as np

from analysis.pcap.errors import cannot_write
from analysis.pcap.rewrite import rewritten
from analysis.pcap.stream import open_capture_stream


def write_pcapng(source: Path, target: Path, *, whole: bool) -> None:
    """Copy a capture as pcapng: packets and all else, in flat memory.

    whole  the file is known to end after a packet; pcapng stays byte for byte then

    The stamps of a pcap file stay as fine as they are. What remains of a packet at the
    end of a truncated file is left out. Raises CaptureError when the capture cannot be
    read, or the copy not be written; there is then none.
    """
    with open_capture_stream(source) as stream:
        if whole and stream.is_pcapng and not stream.packed:
            _copy_file(source, target)
            return
        with rewritten(target) as writer:
            writer.begin(stream)
            for batch in stream:
                writer.write(batch, np.arange(len(batch), dtype=np.int64))
            writer.close()
            writer.keep()


def _copy_file(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as exc:
        target.unlink(missing_ok=True)
        raise cannot_write(target, exc) from exc
