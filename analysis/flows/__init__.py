"""Flow records: packets of a connection as one row, with timeouts as a meter has them.

FlowRecords                      the columns; Texts is a column of texts
read_flows / iter_flows          Parquet or CSV, whole or in pieces, checked
write_flows                      likewise
read_causes / write_causes       what made each record, where it is known
"""

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
    "ENDS",
    "SCHEMA",
    "TEXTS",
    "FlowRecords",
    "Texts",
    "iter_flows",
    "read_causes",
    "read_flows",
    "write_causes",
    "write_flows",
]
