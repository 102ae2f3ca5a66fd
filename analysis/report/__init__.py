"""One self-contained page about campaigns: what was recorded, and what it teaches.

write_report(folders, out, behaviour, seed=0, say=print)
"""

from analysis.report.write import write_report

__all__ = ["write_report"]
