"""Rewrite what stands in bytes under layers of encoding, without changing their size.

What comes out of escapes, base64, base32 and hex is rewritten, too, and packed again in
the same notation, as deep as the audit unpacks. gzip, zlib and XOR are not done here.
"""

import base64
from collections import defaultdict
from collections.abc import Callable

import numpy as np

from analysis.exporters.identifiers.escapes import Uint8, restored, windows
from analysis.exporters.identifiers.layers import DEPTH, Part, parts_of, runs

Replace = Callable[[bytes], bytes]

_GAP = bytes(32)
_STANDARD = bytes.maketrans(b"+/", b"-_")


def rewritten(
    data: bytes,
    replace: Replace,
    *,
    depth: int = DEPTH,
    changed: Uint8 | None = None,
    after: int = -1,
) -> bytes:
    """Return the bytes with `replace` done to them and to all layers.

    replace  returns as many bytes as it gets
    changed, after  as of `windows`
    """
    plain = replace(data)
    return beneath(plain, replace, depth=depth, changed=changed, after=after)


def beneath(
    data: bytes,
    replace: Replace,
    *,
    depth: int = DEPTH,
    changed: Uint8 | None = None,
    after: int = -1,
) -> bytes:
    """Return the bytes with `replace` done to their layers alone, as of `rewritten`."""
    work = bytearray(data)
    if depth:
        _escapes(work, replace, depth, changed, after)
        _runs(work, replace, depth, changed)
    return bytes(work)


def _escapes(
    work: bytearray, replace: Replace, depth: int, changed: Uint8 | None, after: int
) -> None:
    before = bytes(work)
    for window in windows(before, changed=changed, after=after):
        new = rewritten(
            window.text,
            replace,
            depth=depth - 1,
            changed=window.changed,
            after=window.family,
        )
        if new != window.text:
            for at, piece in restored(window, before, new):
                work[at : at + len(piece)] = piece


def _runs(work: bytearray, replace: Replace, depth: int, changed: Uint8 | None) -> None:
    """Rewrite what runs of base64, base32 and hex say; many at once are faster."""
    before = bytes(work)
    held: dict[tuple[str, int], list[tuple[int, int, Part]]] = defaultdict(list)
    for begin, stop in runs(before, 0, len(before)):
        if changed is not None and not changed[begin:stop].any():
            continue
        for part in parts_of(before[begin:stop].translate(None, b"\r\n")):
            held[part.name, part.first % 8].append((begin, stop, part))
    for found in held.values():
        text = _GAP.join(part.inner for _, _, part in found)
        new = rewritten(text, replace, depth=depth - 1)
        if new != text:
            _put(work, found, new)


def _put(work: bytearray, found: list[tuple[int, int, Part]], new: bytes) -> None:
    at = 0
    for begin, stop, part in found:
        inner = new[at : at + len(part.inner)]
        at += len(part.inner) + len(_GAP)
        if inner == part.inner:
            continue
        view = np.frombuffer(bytes(work[begin:stop]), dtype=np.uint8).copy()
        kept = np.flatnonzero((view != 10) & (view != 13))
        chars = kept[part.first : part.first + part.size]
        packed = _packed(inner, part, view[chars].tobytes())
        view[chars] = np.frombuffer(packed, dtype=np.uint8)
        work[begin:stop] = view.tobytes()


def _packed(inner: bytes, part: Part, before: bytes) -> bytes:
    """Return the bytes in the notation and alphabet that they had."""
    if part.name == "hex":
        made = inner.hex().encode()
        return made.upper() if before.upper() == before else made
    if part.name == "base32":
        made = base64.b32encode(inner)[: part.size]
        return made if before.upper() == before else made.lower()
    made = base64.b64encode(inner)[: part.size]
    url_safe = b"-" in before or b"_" in before
    return made.translate(_STANDARD) if url_safe else made
