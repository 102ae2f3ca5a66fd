"""Zeek's conn.log with labels: the device, and as detailed label the activity."""

from collections.abc import Callable, Iterator
from pathlib import Path

from analysis.exporters.labels.windows import FlowLabels, windows_of
from analysis.flows import FlowRecords, Subject, Timeouts, extract
from analysis.flows.conn_log import write_conn_log
from analysis.packets import find_raw


def write_labelled_conn_log(
    folder: Path, path: Path, *, progress: Callable[[int], None] | None = None
) -> tuple[int, int]:
    """Write flow records of all devices; return how many, and how many have a label.

    Records of one connection that goes on end after 60 s, so that they fit windows.
    Raises DatasetError, LabelError, CaptureError.
    """
    counted = [0]

    def labels_of(records: FlowRecords) -> list[tuple[str, str]]:
        labels = flow_labels.of(records)
        counted[0] += sum(1 for label, _ in labels if label)
        return labels

    each = windows_of(folder)
    flow_labels = FlowLabels(each)
    devices = [one.device.name for one in each]
    pieces = records_of(folder, devices, progress)
    return write_conn_log(path, pieces, labels=labels_of), counted[0]


def records_of(
    folder: Path, devices: list[str], progress: Callable[[int], None] | None = None
) -> Iterator[FlowRecords]:
    """Yield flow records of the devices of a campaign."""
    from analysis.dataset import load_campaign

    campaign = load_campaign(folder)
    subjects = [Subject(device=campaign.device(name)) for name in devices]
    return extract(find_raw(folder), subjects, Timeouts(), progress=progress)
