"""Packets as columns, one table per device, from raw captures to Parquet and back.

read_tables(files, devices)         decode captures
write_tables / load_packets         keep them as Parquet in the campaign folder
clean(table, rules)                 remove errors and retransmissions, counted
"""

from analysis.packets.build import RawFiles, find_raw, read_tables, tables_of
from analysis.packets.cleaning import CLEANING_RULES, Cleaned, clean
from analysis.packets.parquet import is_current, load_packets, write_packets
from analysis.packets.table import Error, PacketTable

__all__ = [
    "CLEANING_RULES",
    "Cleaned",
    "Error",
    "PacketTable",
    "RawFiles",
    "clean",
    "find_raw",
    "is_current",
    "load_packets",
    "read_tables",
    "tables_of",
    "write_packets",
]
