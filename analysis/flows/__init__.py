"""Flow records: packets of a connection as one row, with timeouts as a meter has them.

FlowRecords                      the columns; Texts is a column of texts
extract                          from captures, with timeouts or as conversations
read_flows / iter_flows          Parquet or CSV, whole or in pieces, checked
write_flows                      likewise
read_causes / write_causes       what made each record, where it is known
"""

from analysis.flows.extract import CONVERSATIONS, Subject, Timeouts, extract
from analysis.flows.files import (
    SCHEMA,
    iter_flows,
    read_causes,
    read_flows,
    write_causes,
    write_flows,
)
from analysis.flows.records import COLUMNS, ENDS, TEXTS, FlowRecords
from analysis.flows.texts import Texts

__all__ = [
    "COLUMNS",
    "CONVERSATIONS",
    "ENDS",
    "SCHEMA",
    "TEXTS",
    "FlowRecords",
    "Subject",
    "Texts",
    "Timeouts",
    "extract",
    "iter_flows",
    "read_causes",
    "read_flows",
    "write_causes",
    "write_flows",
]
