"""Anonymise a capture of any size in two passes: first where, then what.

counts = anonymise_capture(raw, target, pseudonyms=..., identifiers=..., policy=...)

Every packet stays as long as it was and where it was, with its stamp. Headers get
pseudonyms of all their addresses, payloads those of the identifiers, checksums stay as
right or wrong as they were. What is not replaced is copied byte for byte.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.anonymise import fields, messages
from analysis.exporters.anonymise.clients import write_clients
from analysis.exporters.anonymise.clocks import Clocks
from analysis.exporters.anonymise.emit import emit_blocks, emit_records
from analysis.exporters.anonymise.foreign import refuse_foreign
from analysis.exporters.anonymise.fragments import add_differences, differences
from analysis.exporters.anonymise.mapped import write_mapped
from analysis.exporters.anonymise.networks import write_networks
from analysis.exporters.anonymise.patterns import Patterns, patterns_of
from analysis.exporters.anonymise.policy import Counts, Policy
from analysis.exporters.anonymise.pseudonyms import Pseudonyms
from analysis.exporters.anonymise.repair import repair, write_changes
from analysis.exporters.anonymise.replace import Replacer
from analysis.exporters.anonymise.sealed import write_sealed
from analysis.exporters.anonymise.sections import Sections, ticks_of
from analysis.exporters.anonymise.spans import Grouper, Spans
from analysis.exporters.anonymise.survey import Changes, Survey
from analysis.exporters.anonymise.table import Addresses
from analysis.exporters.anonymise.tunnels import write_tunnels
from analysis.exporters.identifiers.model import Identifier
from analysis.packets.select import beacon_rows
from analysis.pcap.blocks import LINK_IEEE802_11, LINK_RADIOTAP
from analysis.pcap.decode import TCP, UDP
from analysis.pcap.errors import cannot_write
from analysis.pcap.stream import CaptureStream, open_capture_stream
from analysis.pcap.walk import Batch

Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]

_NS = 1_000_000_000
_ARP = 0x0806
_ROOM = 1 << 16
_ABOVE_B = 8  # what stays of ICMP and others above IP, when payloads go
_WIRELESS_B = 24


def anonymise_capture(
    source: Path,
    target: Path,
    *,
    pseudonyms: Pseudonyms,
    identifiers: Iterable[Identifier],
    policy: Policy,
    progress: Callable[[int], None] | None = None,
) -> Counts:
    """Write `source` under pseudonyms to `target`, which appears whole or not at all.

    identifiers  what must not be in any payload, name or comment
    progress     called with bytes of the capture that were read since its last call;
                 they are read twice

    A pcapng file stays one, a pcap file too; what is packed is written unpacked.
    Raises CaptureError when the capture is damaged, OSError when the disk is full.
    """
    return anonymise_capture_with(
        source,
        target,
        pseudonyms=pseudonyms,
        patterns=patterns_of(identifiers, pseudonyms),
        policy=policy,
        progress=progress,
    )


def anonymise_capture_with(
    source: Path,
    target: Path,
    *,
    pseudonyms: Pseudonyms,
    patterns: Patterns,
    policy: Policy,
    progress: Callable[[int], None] | None = None,
) -> Counts:
    """Do the same with patterns that were laid out before, for many captures."""
    tell = _Progress(progress)
    clocks = Clocks(policy.shift_ns // _NS) if policy.shift_ns else None
    survey = Survey(patterns, pseudonyms, clocks.text if clocks is not None else None)
    if policy.most_payload_b != 0:
        with open_capture_stream(source) as stream:
            for batch in stream:
                if clocks is not None:
                    clocks.add(batch)
                survey.add(batch)
                tell(stream)
    changes = survey.changes()
    if clocks is not None:
        changes = clocks.added_to(changes)
    split = differences(source, changes)
    part = target.with_name(f".{target.name}.part")
    tell.begin()
    try:
        with open_capture_stream(source) as stream, part.open("wb") as file:
            what = (pseudonyms, patterns, changes, split)
            work = _Writing(stream, file, what, policy)
            for batch in stream:
                work.take(batch)
                tell(stream)
        part.replace(target)
    except OSError as exc:
        raise cannot_write(target, exc) from exc
    finally:
        part.unlink(missing_ok=True)
    return work.counts()


class _Progress:
    """Tells bytes since the last call."""

    def __init__(self, tell: Callable[[int], None] | None) -> None:
        self._tell = tell
        self._told = 0

    def begin(self) -> None:
        """Begin the file again."""
        self._told = 0

    def __call__(self, stream: CaptureStream) -> None:
        read = stream.size_b
        if self._tell is not None:
            self._tell(read - self._told)
        self._told = read


class _Writing:
    """The second pass."""

    def __init__(
        self,
        stream: CaptureStream,
        file: BinaryIO,
        what: tuple[Pseudonyms, Patterns, Changes, Mapping[int, int]],
        policy: Policy,
    ) -> None:
        pseudonyms, patterns, self._changes, self._split = what
        self._stream = stream
        self._file = file
        self._policy = policy
        self._replacer = Replacer(patterns)
        self._sections = Sections(pseudonyms, self._replacer, policy.shift_ns)
        self._pseudonyms = pseudonyms
        self._addresses = Addresses(pseudonyms)
        self._grouper = Grouper()
        # how often each pattern stood in packets, and in what of them was written
        self._hits = np.zeros(len(self._changes.patterns), dtype=np.int64)
        self._written = np.zeros_like(self._hits)
        self._comments = np.zeros(1, dtype=np.int64)
        self._packets = self._beacons = self._changed = 0
        self._fields = tuple(np.empty(_ROOM, dtype=np.int64) for _ in range(2))
        if not stream.is_pcapng:
            file.write(stream.head)

    def take(self, batch: Batch) -> None:
        """Write the next packets and blocks."""
        if not len(batch):
            self._write(batch, batch.data, np.zeros(0, np.int64), np.zeros(0, np.int64))
            return
        refuse_foreign(self._stream.path, batch.link)
        spans = self._grouper.spans(batch)
        new = _copied(batch)
        rows = np.arange(len(batch), dtype=np.int64)
        if self._policy.strip_beacons:
            beacons = beacon_rows(batch, spans.decoded)
            rows = np.setdiff1d(rows, beacons)
            self._beacons += beacons.size
        keep_b = self._kept(batch, spans)
        changed, written = self._payloads(batch, new, spans, (rows, keep_b))
        self._headers(batch, new, spans)
        write_mapped(batch, new, spans, self._pseudonyms, changed)
        write_networks(batch, new, spans, self._pseudonyms, changed)
        write_clients(batch, new, spans, self._pseudonyms, changed)
        write_sealed(batch, new, spans, self._replacer.bytes, changed)
        write_tunnels(batch, new, spans, self._pseudonyms, changed)
        repair(
            batch.data,
            new,
            (batch.start, batch.captured_b, *_link(batch, spans)),
            (
                spans.decoded.protocol,
                spans.above,
                spans.above_b,
                spans.decoded.fragment,
            ),
            changed | messages.may_hold_fields(spans.decoded),
        )
        add_differences(self._split, batch, new, spans)
        self._packets += rows.size
        self._changed += int(np.count_nonzero(written))
        self._write(batch, new, rows, keep_b)

    def counts(self) -> Counts:
        """Say what was done."""
        replaced = dict(self._replacer.counts)
        for kind, n in zip(self._changes.patterns.kinds, self._written, strict=True):
            if n:
                replaced[kind] = replaced.get(kind, 0) + int(n)
        return Counts(
            packets=self._packets,
            beacons=self._beacons,
            changed=self._changed,
            addresses=len(self._addresses),
            comments=self._sections.comments + int(self._comments[0]),
            blocks=self._sections.dropped,
            unread=self._changes.n_unread,
            replaced=dict(sorted(replaced.items())),
            met=self._met(),
        )

    def _met(self) -> tuple[int, ...]:
        """Return rows of the identifiers that stood in headers or payloads."""
        patterns = self._changes.patterns
        hit = {patterns.owners[row] for row in np.flatnonzero(self._hits).tolist()}
        known = self._addresses.knows
        headers = {row for raw, row in patterns.headers.items() if known(raw)}
        every = hit | headers | self._replacer.met | self._changes.met
        return tuple(sorted(every - {-1}))

    def _payloads(
        self, batch: Batch, new: Uint8, spans: Spans, kept: tuple[Int64, Int64]
    ) -> tuple[Uint8, Uint8]:
        """Write what the first pass found; say which packets changed, and as written.

        kept  rows of the packets that are written, and how many bytes of each packet

        What is left out or cut away changes as well, for checksums cover it, but it is
        not counted as replaced.
        """
        changed = self._changed_in(batch, new, (spans, spans.end), self._hits)
        rows, keep_b = kept
        ends = spans.begin.copy()
        ends[rows] = np.minimum(spans.end, batch.start + keep_b)[rows]
        ends = np.maximum(ends, spans.begin)
        return changed, self._changed_in(batch, new, (spans, ends), self._written)

    def _changed_in(
        self, batch: Batch, new: Uint8, where: tuple[Spans, Int64], counts: Int64
    ) -> Uint8:
        """Write changes of payloads, each up to an end; say which packets changed."""
        changed = np.zeros(len(batch), dtype=np.uint8)
        changes, (spans, ends) = self._changes, where
        if changes.groups.size:
            write_changes(
                batch.data,
                new,
                (spans.begin, ends, spans.group, spans.place),
                (
                    changes.groups,
                    changes.places,
                    changes.which,
                    changes.patterns.longest_b,
                ),
                (changes.patterns.tables, changes.patterns.instead),
                (changed, counts),
            )
        return changed

    def _headers(self, batch: Batch, new: Uint8, spans: Spans) -> None:
        """Write the pseudonyms of addresses."""
        decoded, n = spans.decoded, np.zeros(1, dtype=np.int64)
        packets = (batch.start, batch.captured_b, *_link(batch, spans))
        above = (decoded.protocol, spans.above, decoded.fragment)
        room = (self._fields[0], self._fields[1], n)
        row = 0
        while row < len(batch):
            row = fields.find_fields(batch.data, row, packets, above, room)
            self._put(batch, new, n)
        ports = (decoded.protocol, decoded.src_port, decoded.dst_port)
        row = 0
        while row < len(batch):
            payload = (row, spans.begin, spans.end, *ports)
            row = messages.find_message_fields(batch.data, payload, room)
            self._put(batch, new, n)

    def _put(self, batch: Batch, new: Uint8, n: Int64) -> None:
        used = int(n[0])
        places, sizes = self._fields[0][:used], self._fields[1][:used]
        self._addresses.write(batch.data, new, places, sizes)
        n[0] = 0

    def _kept(self, batch: Batch, spans: Spans) -> Int64:
        """Return how many captured bytes of each packet stay."""
        most = self._policy.most_payload_b
        if most is None:
            return batch.captured_b
        decoded = spans.decoded
        ported = np.isin(decoded.protocol, (TCP, UDP)) & (decoded.fragment != 2)
        layered = spans.above > spans.network
        head = np.where(
            ported & layered,
            decoded.payload_at,
            np.where(layered, spans.above, spans.network) - batch.start,
        )
        extra = np.where(layered & ~ported & (decoded.fragment != 2), _ABOVE_B, 0)
        air = np.isin(batch.link, (LINK_IEEE802_11, LINK_RADIOTAP))
        extra += np.where(air & ~layered, _WIRELESS_B, 0)
        kept = np.minimum(head + extra + most, batch.captured_b)
        kept[decoded.ethertype == _ARP] = batch.captured_b[decoded.ethertype == _ARP]
        wide: Int64 = kept.astype(np.int64)
        return wide

    def _write(self, batch: Batch, new: Uint8, rows: Int64, keep_b: Int64) -> None:
        done = 0
        for row, block in batch.others:
            upto = int(np.searchsorted(rows, row, side="left"))
            self._emit(batch, new, rows[done:upto], keep_b)
            self._file.write(self._sections.block(block, batch.order))
            done = upto
        self._emit(batch, new, rows[done:], keep_b)

    def _emit(self, batch: Batch, new: Uint8, rows: Int64, keep_b: Int64) -> None:
        if not rows.size:
            return
        big, shift_ns = batch.order == ">", self._policy.shift_ns
        out = np.empty(int(batch.block_b[rows].sum()) + 64, dtype=np.uint8)
        if self._stream.is_pcapng:
            ticks = np.array(
                [
                    ticks_of(each, shift_ns) & (1 << 64) - 1
                    for each in self._stream.interfaces
                ],
                dtype=np.uint64,
            )
            n = emit_blocks(
                new,
                (batch.block, batch.block_b, big),
                (rows, batch.captured_b, keep_b, ticks[batch.interface]),
                out,
                self._comments,
            )
        else:
            records, packets = (batch.block, big), (rows, batch.captured_b, keep_b)
            n = emit_records(new, records, packets, shift_ns // _NS, out)
        self._file.write(out.data[:n])


def _copied(batch: Batch) -> Uint8:
    """Return a copy of the bytes of a batch; what its packets do not use is garbage."""
    new = np.empty_like(batch.data)
    first, last = int(batch.block[0]), int(batch.block[-1] + batch.block_b[-1])
    new[first:last] = batch.data[first:last]
    return new


def _link(
    batch: Batch, spans: Spans
) -> tuple[NDArray[np.int32], NDArray[np.uint16], Int64]:
    return batch.link, spans.decoded.ethertype, spans.network
