"""What of each packet is looked at, and where that lies in its stream.

Both passes ask here, so that they agree.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.anonymise.scan import unwrap
from analysis.pcap.conversations import Conversations
from analysis.pcap.decode import TCP, UDP, Decoded, decode_layers
from analysis.pcap.walk import Batch

Bool = NDArray[np.bool_]
Int64 = NDArray[np.int64]

OF_PACKETS = 1 << 40  # groups from here on are single packets
_WHOLE, _ALTERED = 0, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """What of each packet of a batch is looked at.

    begin    (n,) int64, place in the bytes of the batch
    end      (n,) int64
    group    (n,) int64, TCP stream and direction, or a number of the packet's own
    place    (n,) int64, of `begin` in the group
    segment  (n,) bool, whether it is TCP of a stream
    network, above, above_b  where layers lie, as of `decode_layers`
    """

    decoded: Decoded
    begin: Int64
    end: Int64
    group: Int64
    place: Int64
    segment: Bool
    network: Int64
    above: Int64
    above_b: Int64


class Grouper:
    """Tells streams apart, the same way in both passes."""

    def __init__(self) -> None:
        self._conversations = Conversations()
        self._last = np.full(0, -1, dtype=np.int64)

    @property
    def n_streams(self) -> int:
        """Directions of conversations, so far."""
        return 2 * len(self._conversations)

    def spans(self, batch: Batch) -> Spans:
        """Say what of the next packets is looked at."""
        decoded, network, above, above_b = decode_layers(batch)
        analysed = self._conversations.add(batch.time_ns, decoded)
        ends = batch.start + batch.captured_b
        begin = batch.start + decoded.payload_at
        whole = (decoded.fragment == _WHOLE) | (decoded.fragment == _ALTERED)
        ported = (decoded.protocol == TCP) | (decoded.protocol == UDP)
        layered = above > network
        # what has no ports is looked at from its first byte above IP, or above the link
        bare = ~ported | (decoded.fragment == 2) | (decoded.payload_at <= 0)
        begin = np.where(bare, np.where(layered, above, network), begin)
        tcp = (decoded.protocol == TCP) & whole & ~bare & (analysed.flow >= 0)
        begin = np.minimum(begin, ends)
        end = np.where(tcp, np.minimum(begin + decoded.payload_b, ends), ends)
        rows = np.arange(len(batch), dtype=np.int64) + batch.first_frame
        stream = np.where(tcp, 2 * analysed.flow + analysed.reverse, -1).astype(
            np.int64
        )
        self._make_room()
        place = np.zeros(len(batch), dtype=np.int64)
        unwrap(stream, decoded.seq, decoded.tcp_flags, self._last, place)
        return Spans(
            decoded=decoded,
            begin=begin,
            end=end,
            group=np.where(tcp, stream, OF_PACKETS + rows),
            place=place,
            segment=tcp,
            network=network,
            above=above,
            above_b=above_b,
        )

    def _make_room(self) -> None:
        if self._last.size < self.n_streams:
            more = np.full(self.n_streams, -1, dtype=np.int64)
            self._last = np.concatenate((self._last, more))


def joined(pieces: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Put pieces of a stream together that touch or overlap; the first says what."""
    runs: list[tuple[int, bytearray]] = []
    for place, data in sorted(pieces, key=lambda piece: piece[0]):
        if runs and place <= runs[-1][0] + len(runs[-1][1]):
            first, run = runs[-1]
            run.extend(data[first + len(run) - place :])
        else:
            runs.append((place, bytearray(data)))
    return [(place, bytes(run)) for place, run in runs]
