"""Words that could tell of somebody, in bytes that one side says.

What is said again in a conversation is read once. What may stand there by chance, in
noise and in records of TLS, is judged when all is read.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import chain

import numpy as np

from analysis.exporters.audit.judging import Judge
from analysis.exporters.audit.letters import is_text, runs
from analysis.exporters.identifiers.layers import unpacked

# what has neither ports nor a field of identity may hold the number of a unit: types of
# Ethernet and protocols of IP that are taken apart, or are ciphertext or tunnels
_BELOW = ("ethernet/", "ip/")
_DISSECTED = frozenset(
    (
        *(f"ethernet/{k}" for k in ("0000", "0806", "0800", "86dd", "8809", "8863")),
        *(f"ethernet/{k}" for k in ("8864", "8847", "8848", "888e", "88cc", "88d9")),
        *(f"ethernet/{k}" for k in ("893a", "88f7", "4305", "88e5", "8906", "2000")),
        *(f"ip/{k}" for k in (1, 2, 4, 41, 47, 50, 51, 58, 59, 88, 89, 103, 112, 132)),
    )
)
_DEPTH = 2
_MOST_SEEN = 1 << 20
# shorter ones come by chance, such as what follows a percent sign and two digits
_LEAST_INNER_B, _LEAST_INNER_TEXT_B, _LEAST_INNER_AMONG_BYTES_B = 64, 8, 16
_BYTES = re.compile(rb"[^\x00]{6,}")
_MOST_UNIT_B = 32  # a longer one is no address and no number
_FEW = 3
_HEAD_B = 64
_CONTROLS = bytes({*range(32), 127} - {9, 10, 13})
_READABLE = bytes({*range(32, 127), 9, 10, 13})
_HIGH = bytes(range(128, 256))
_DEFLATED, _LEAST_DULL_B, _DULL_SHARE = "zlib", 32, 0.6
_MARKS = slice(33, 127)  # what is printed, but for blanks
# of noise, 28 MB hold some five words by chance, and short datagrams of it more
_SHORT_B, _LONG_B, _LEAST_NOISE_B = 48, 64, 1 << 12
_NOISE_SHARE, _HIGH_SHARE = 0.9, 0.25
_NO_CHANCE = 20  # letters of a word, or bytes of a run, that noise does not hold
_DIGEST_B, _MOST_SILENT = 16, 1 << 19  # 60 MB at most


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Between whom something was said.

    macs      of the two sides, source first
    ips       their addresses, as text; '' where there is none
    protocol  'tcp', 'udp', 'ip/47', 'ethernet/88cc'
    port      that of the service: the one that was called, else the lower one; -1
              where there is none
    """

    macs: tuple[int, int]
    ips: tuple[str, str]
    protocol: str
    port: int = -1

    @property
    def name(self) -> str:
        """How such conversations are called, as 'tcp/6668'."""
        return self.protocol if self.port < 0 else f"{self.protocol}/{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One piece that could tell of somebody: who said it, where, what.

    doubtful  it may stand there by chance, unless it is said elsewhere, too
    """

    end: End
    flow: int
    frame: int
    word: str
    doubtful: bool = False


class Silent:
    """Remembers messages in which nothing is readable, by digests of their bytes.

    What is readable follows from the bytes alone: of a capture as it was recorded only
    what was replaced need be read again, where it was not readable as published.
    """

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def known(self, data: bytes) -> bytes:
        """Return the digest of a message; b'' where nothing is readable in it."""
        digest = blake2b(data, digest_size=_DIGEST_B).digest()
        return b"" if digest in self._digests else digest

    def add(self, digest: bytes) -> None:
        """Remember a message that is not."""
        if len(self._digests) < _MOST_SILENT:
            self._digests.add(digest)


class Reader:
    """Finds words in bytes; what one side says again in a conversation is read once."""

    def __init__(self, judge: Judge, opaque: Collection[str], silent: Silent) -> None:
        self._judge = judge
        self._opaque = opaque
        self._silent = silent
        self._n_runs = 0
        self._seen: set[int] = set()
        self._again: set[int] = set()
        self._noise: dict[int, list[int]] = {}
        self._late: list[tuple[Said, int]] = []
        self._held: dict[str, tuple[Said, int]] = {}
        self._inflated: set[int] = set()  # runs within, which noise repeats at once
        self._sure: set[int] = set()  # runs of a message that are in no noise by chance

    def message(self, end: End, where: tuple[int, int], data: bytes) -> Iterator[Said]:
        """Yield what a datagram says; what noise may hold is judged at the end."""
        is_noise = False
        if len(data) >= _LONG_B and where[0] >= 0:
            high = len(data) - len(data.translate(None, _HIGH))
            is_noise = high > _HIGH_SHARE * len(data)
            self._noise.setdefault(where[0], [0, 0])[is_noise] += len(data)
        pieces = (self._readable(end, where, data), self._opaque_runs(end, where, data))
        for said, run in chain(*pieces):
            if is_noise or len(data) < _SHORT_B:
                self._late.append((said, run))
            else:
                yield said

    def encrypted(
        self, end: End, where: tuple[int, int], data: bytes
    ) -> Iterator[Said]:
        """Yield what stands in records of TLS and is no chance; the rest at the end.

        No chance are long runs, those of other scripts, what is packed in there, and
        words that were there before.
        """
        for said, run in self._readable(end, where, data):
            sure = run in self._sure or len(self._held) >= _MOST_SEEN
            if sure or said.word in self._held:
                yield said
            else:
                self._held[said.word] = (said, run)

    def late(self) -> Iterator[Said]:
        """Yield what datagrams said that were short, or noise, and is no chance.

        That is what they say twice, long words, and all in a conversation that is not
        noise as a whole. What records of TLS said once is doubtful.
        """
        for said, run in self._held.values():
            yield replace(said, doubtful=run not in self._again)
        for said, run in self._late:
            other_b, noise_b = self._noise.get(said.flow, (0, 0))
            least = max(_LEAST_NOISE_B, _NOISE_SHARE * (other_b + noise_b))
            if noise_b < least or run in self._again or len(said.word) >= _NO_CHANCE:
                yield said

    def said(self, end: End, where: tuple[int, int], data: bytes) -> Iterator[Said]:
        """Yield what could tell of somebody; where is (conversation, packet)."""
        yield from self.readable(end, where, data)
        yield from self.opaque(end, where, data)

    def readable(self, end: End, where: tuple[int, int], data: bytes) -> Iterator[Said]:
        """Yield words that could tell of somebody."""
        for said, _ in self._readable(end, where, data):
            yield said

    def opaque(self, end: End, where: tuple[int, int], data: bytes) -> Iterator[Said]:
        """Yield what could be a number of a unit, where nobody knows the protocol."""
        for said, _ in self._opaque_runs(end, where, data):
            yield said

    def _readable(
        self, end: End, where: tuple[int, int], data: bytes
    ) -> Iterator[tuple[Said, int]]:
        """Yield words, and the number of the run each is in: of a sure one, if any."""
        found: dict[str, int] = {}
        self._sure.clear()
        self._inflated.clear()
        for text, run in self._audible(data, end):
            for word in self._judge.telling(text):
                if word not in found or run in self._sure:
                    found[word] = run
        for word, run in found.items():
            yield Said(end=end, flow=where[0], frame=where[1], word=word), run

    def _opaque_runs(
        self, end: End, where: tuple[int, int], data: bytes
    ) -> Iterator[tuple[Said, int]]:
        if self._is_opaque(end) and not is_text(data):
            for each in dict.fromkeys(opaque_runs(data)):
                word = each.hex()
                said = Said(end=end, flow=where[0], frame=where[1], word=word)
                yield said, hash(each)

    def _is_opaque(self, end: End) -> bool:
        """Say whether nobody knows the protocol: none of a port, or of a frame."""
        if end.name in self._opaque:
            return True
        return end.protocol.startswith(_BELOW) and end.protocol not in _DISSECTED

    def _audible(self, data: bytes, end: End) -> Iterator[tuple[str, int]]:
        """Yield the texts of a message, unless it is known to hold none, new or old."""
        if digest := self._silent.known(data):
            before = self._n_runs
            yield from self._texts(data, end, _DEPTH)
            if self._n_runs == before:
                self._silent.add(digest)

    def _texts(self, data: bytes, end: End, depth: int) -> Iterator[tuple[str, int]]:
        for run in runs(data):
            self._n_runs += 1
            number = hash((end.name, end.macs, run))
            if depth < _DEPTH or len(run) >= _NO_CHANCE or not run.isascii():
                self._sure.add(number)
            if self._is_new(number):
                if depth < _DEPTH:
                    self._inflated.add(number)
                yield run.decode(errors="replace"), number
            elif number not in self._inflated:
                self._again.add(number)
        if not depth:
            return
        least_b = 0
        for _, name, inner in unpacked(data):
            least_b = least_b or _least_inner_b(data)
            text = len(inner) >= least_b and is_text(inner)
            long = len(inner) >= _LEAST_INNER_B and not name.startswith("base64")
            dull = name == _DEFLATED and _is_dull(inner)
            if (text or long) and not dull:
                yield from self._texts(inner, end, depth - 1)

    def _is_new(self, number: int) -> bool:
        if number in self._seen:
            return False
        if len(self._seen) < _MOST_SEEN:
            self._seen.add(number)
        return True


def _is_dull(inner: bytes) -> bool:
    """Say whether three letters are most of it: noise that inflates does so to such."""
    if len(inner) < _LEAST_DULL_B:
        return False  # of few letters three are most of a name
    counts = np.bincount(np.frombuffer(inner, dtype=np.uint8), minlength=256)
    most = int(np.sort(counts[_MARKS])[-_FEW:].sum())
    return most > _DULL_SHARE * len(inner)


def _least_inner_b(data: bytes) -> int:
    """Return how long a text is at least that is packed in bytes."""
    return _LEAST_INNER_TEXT_B if is_text(data) else _LEAST_INNER_AMONG_BYTES_B


def opaque_runs(data: bytes) -> Iterator[bytes]:
    """Yield what could be an address or a number of a unit, among zeros.

    Random bytes hardly hold zeros: what is encrypted is passed over.
    """
    head = data[:_HEAD_B]
    if head.count(0) < max(_FEW, len(head) // 5):
        return
    for found in _BYTES.finditer(data):
        at, end = found.span()
        raw = found.group()
        told = end - at <= _MOST_UNIT_B and len(set(raw)) > _FEW
        if told and raw.translate(None, _READABLE):
            yield raw
