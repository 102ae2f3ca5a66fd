"""Give packets the activity that caused them, and write captures that say so.

label_windows(log, device)   the label windows of a device, overlaps handled
label_packets(time_ns, ...)  the window that each packet lies in
label_campaign(folder)       one labelled capture per device
"""

from analysis.labelling.captures import (
    DeviceLabels,
    LabelReport,
    label_campaign,
    labelled_as,
)
from analysis.labelling.coverage import StampSpan, explain_outside, is_covered
from analysis.labelling.overlap import (
    IDLE,
    LabelWindows,
    Overlap,
    label_packets,
    label_windows,
    refuse_outside,
    spans,
)

__all__ = [
    "IDLE",
    "DeviceLabels",
    "LabelReport",
    "LabelWindows",
    "Overlap",
    "StampSpan",
    "explain_outside",
    "is_covered",
    "label_campaign",
    "label_packets",
    "label_windows",
    "labelled_as",
    "refuse_outside",
    "spans",
]
