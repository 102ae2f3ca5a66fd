"""Tell whether zstd data end where a frame ends; the library keeps that to itself.

Only heads of frames and blocks are looked at (RFC 8878, section 3.1); all else is
stepped over.
"""

from collections.abc import Callable

_FRAME = 0xFD2FB528
_SKIPPABLE = 0x184D2A50  # and the fifteen numbers after it
_MAGIC_B, _DESCRIPTOR_B, _BLOCK_B = 4, 1, 3
_CHECKSUM_B = 4
_REPEATED = 1  # a block of one byte, to be repeated


class FrameWalk:
    """Follows packed bytes in pieces of any size.

    complete  all that was fed ends with a whole frame
    """

    def __init__(self) -> None:
        self._next: Callable[[int], None] = self._magic
        self._wanted = _MAGIC_B
        self._head = bytearray()
        self._skip = 0
        self._tail_b = 0
        self._within = False

    @property
    def complete(self) -> bool:
        """Say whether nothing is missing."""
        return not (self._within or self._skip or self._head)

    def feed(self, data: memoryview) -> None:
        """Take the next packed bytes."""
        at = 0
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
            else:
                step = min(self._wanted - len(self._head), len(data) - at)
                self._head += data[at : at + step]
                if len(self._head) == self._wanted:
                    number = int.from_bytes(self._head, "little")
                    self._head.clear()
                    self._next(number)
            at += step

    def _magic(self, number: int) -> None:
        self._within = True
        if number & ~0xF == _SKIPPABLE:
            self._next, self._wanted = self._skippable, _MAGIC_B
        elif number == _FRAME:
            self._next, self._wanted = self._descriptor, _DESCRIPTOR_B
        # what is neither is found by the library, which stops at it

    def _skippable(self, size_b: int) -> None:
        self._skip = size_b
        self._begin()

    def _descriptor(self, flags: int) -> None:
        single = flags >> 5 & 1
        window_b, dictionary_b = 1 - single, (0, 1, 2, 4)[flags & 3]
        self._skip = window_b + dictionary_b + (single, 2, 4, 8)[flags >> 6]
        self._tail_b = _CHECKSUM_B if flags >> 2 & 1 else 0
        self._next, self._wanted = self._block, _BLOCK_B

    def _block(self, head: int) -> None:
        self._skip = 1 if head >> 1 & 3 == _REPEATED else head >> 3
        if head & 1:  # the last of its frame
            self._skip += self._tail_b
            self._begin()

    def _begin(self) -> None:
        self._within = False
        self._next, self._wanted = self._magic, _MAGIC_B
