"""Packets as columns, one table per device, from raw captures to Parquet and back.

make_tables(folder, captures, devices)  decode captures into Parquet, once each
load_packets / iter_packets             read the table of a device, whole or in pieces
clean(table, rules)                     remove errors and retransmissions, counted
"""

from analysis.packets.cleaning import CLEANING_RULES, Cleaned, clean, removed_in
from analysis.packets.index import (
    CapturePart,
    DevicePart,
    Index,
    find_index,
    load_index,
)
from analysis.packets.make import find_raw, is_current, make_tables, read_tables
from analysis.packets.parquet import iter_columns, iter_packets, load_packets
from analysis.packets.table import Error, PacketTable, Retransmission
from analysis.packets.tabulate import CaptureJob, tabulate_capture
from analysis.packets.traffic import Traffic, iter_traffic

__all__ = [
    "CLEANING_RULES",
    "CaptureJob",
    "CapturePart",
    "Cleaned",
    "DevicePart",
    "Error",
    "Index",
    "PacketTable",
    "Retransmission",
    "Traffic",
    "clean",
    "find_index",
    "find_raw",
    "is_current",
    "iter_columns",
    "iter_packets",
    "iter_traffic",
    "load_index",
    "load_packets",
    "make_tables",
    "read_tables",
    "removed_in",
    "tabulate_capture",
]
