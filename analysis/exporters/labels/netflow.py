"""Rules of netflowlabeler, which label a conn.log, and the conn.log that they are for.

Its rules know no spans of time, so that each labelled record has a rule of its own:
start, ends and protocol, as they stand in the conn.log.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from analysis.errors import named
from analysis.exporters.labels.windows import FlowLabels, windows_of
from analysis.exporters.labels.zeek import records_of
from analysis.flows import FlowRecords
from analysis.flows.conn_log import conn_log_values, write_conn_log

# what the rules call it -> what conn.log does
_FIELDS = {
    "StartTime": "ts",
    "Proto": "proto",
    "srcIP": "id.orig_h",
    "srcPort": "id.orig_p",
    "dstIP": "id.resp_h",
    "dstPort": "id.resp_p",
}


def write_netflow_rules(
    folder: Path,
    rules: Path,
    path: Path,
    *,
    progress: Callable[[int], None] | None = None,
) -> tuple[int, int]:
    """Write the rules, and the conn.log to `path`; return records, and rules.

    Raises DatasetError, LabelError, CaptureError.
    """
    each = windows_of(folder)
    devices = [one.device.name for one in each]
    n_rules = [0]
    rules.parent.mkdir(parents=True, exist_ok=True)
    part = rules.with_name(f"{rules.name}.part")
    try:
        with named(rules), part.open("w", encoding="utf-8", newline="\n") as file:

            def noted(pieces: Iterator[FlowRecords]) -> Iterator[FlowRecords]:
                writer = _Rules(file, FlowLabels(each))
                for records in pieces:
                    n_rules[0] += writer.add(records)
                    yield records

            n = write_conn_log(path, noted(records_of(folder, devices, progress)))
        part.replace(rules)
    finally:
        part.unlink(missing_ok=True)
    return n, n_rules[0]


class _Rules:
    """Writes rules below their labels."""

    def __init__(self, file: TextIO, labels: FlowLabels) -> None:
        self._file, self._labels = file, labels
        self._last = ("", "")
        file.write("# rules of netflowlabeler: device, activity\n")

    def add(self, records: FlowRecords) -> int:
        labels, n = self._labels.of(records), 0
        for label, values in zip(labels, conn_log_values(records), strict=True):
            if not label[0]:
                continue
            if label != self._last:
                self._file.write(", ".join(map(_word, label)) + ":\n")
                self._last = label
            terms = (f"{name}={values[field]}" for name, field in _FIELDS.items())
            self._file.write(f"    - {' & '.join(terms)}\n")
            n += 1
        return n


def _word(text: str) -> str:
    """Return a label without what would part it from others."""
    return "".join("_" if char in ":,#" or char.isspace() else char for char in text)
