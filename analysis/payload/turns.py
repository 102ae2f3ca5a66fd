"""Put messages together from packets: those of a window and those of whole captures."""

from collections.abc import Hashable, Iterable, Iterator

from analysis.payload.copies import Segment, each_once
from analysis.payload.text import decode_kasa, kasa_messages, plain_text

KASA_PORT = 9999
_HALF = 1 << 31
_LOOKED_AT_B = 128
# 37 in 100 of random bytes are printable; of 128 of them, hardly ever half
_TEXT_SHARE = 0.5
_BINARY = bytes(set(range(256)) - set(b"\t\r\n") - set(range(0x20, 0x7F)))


def may_hold_text(payload: bytes, ports: tuple[int, int]) -> bool:
    """Say whether a packet is looked at: its beginning is text, or Kasa's cipher."""
    begin = payload[:_LOOKED_AT_B]
    is_text = len(begin.translate(None, _BINARY)) >= _TEXT_SHARE * len(begin)
    return is_text or KASA_PORT in ports


def turns_of(segments: Iterable[Segment]) -> Iterator[list[Segment]]:
    """Yield the segments that one side sends before the other answers, each once.

    They are in the order of the stream and do not overlap; where some of it is missing,
    another turn begins. A datagram is a turn.
    """
    speaking: dict[Hashable, list[Segment]] = {}
    for segment in each_once(segments):
        if segment.seq is None:
            yield [segment]
            continue
        turn = speaking.get(segment.flow)
        if turn is not None and turn[0].source == segment.source:
            turn.append(segment)
            continue
        if turn is not None:
            yield from _whole(turn)
        speaking[segment.flow] = [segment]
    for turn in speaking.values():
        yield from _whole(turn)


def _whole(turn: list[Segment]) -> Iterator[list[Segment]]:
    """Put the segments of a turn into order, without overlaps; part it at holes."""
    first = turn[0].seq or 0

    def place(segment: Segment) -> int:
        return ((segment.seq or 0) - first + _HALF) % (1 << 32) - _HALF

    whole: list[Segment] = []
    end = 0
    for segment in sorted(turn, key=place):
        at = place(segment)
        if whole and at > end:
            yield whole
            whole = []
        if whole and at < end:
            segment.payload = segment.payload[end - at :]
            at = end
        whole.append(segment)
        end = at + len(segment.payload)
    yield whole


def texts_in(turn: list[Segment]) -> Iterator[str]:
    """Yield the messages of a turn; Kasa's by their lengths: an answer may be lost."""
    first = turn[0]
    payload = b"".join(segment.payload for segment in turn)
    if KASA_PORT not in (first.source[1], first.target[1]):
        datas = [payload]
    elif first.seq is None:
        datas = [decode_kasa(payload, framed=False)]
    else:
        datas = kasa_messages(payload)
    yield from filter(None, map(plain_text, datas))
