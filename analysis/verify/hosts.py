"""The table of hosts is what raw captures tell."""

from collections.abc import Callable, Sequence
from pathlib import Path

from analysis.dataset import HOST_COLUMNS
from analysis.hosts import find_hosts
from analysis.verify.campaign import Looked
from analysis.verify.model import Findings
from analysis.verify.remade import Remade
from analysis.verify.tables import Values

# how payloads spell an address that is under a pseudonym is known to the key alone
_TOLD = tuple(name for name in HOST_COLUMNS if name != "written")


def hosts_again(
    path: Path, found: Findings, rows: Sequence[Values], looked: Looked
) -> Callable[[Remade], None]:
    """Return what finds the hosts of a campaign again, and compares them.

    path  the table;  rows  all of it, in order
    """

    def compare(made: Remade) -> None:
        if looked.campaign is None:
            return
        with found.guarded(path):
            again = find_hosts(made.folder).select(_TOLD).rows()
            left = dict.fromkeys(again)
            unknown = []
            for number, row in enumerate(rows, start=1):
                told = tuple(row[name] for name in _TOLD)
                if row["campaign"] == looked.campaign.name and told in left:
                    del left[told]
                elif row["campaign"] == looked.campaign.name:
                    unknown.append(f"row {number}")
            found.several(path, unknown, "is not what raw captures tell")
            lacking = [f"{row[1]} at {row[2]}, {row[3]}" for row in left]
            found.several(path, lacking, "is not there, but raw captures tell it")

    return compare
