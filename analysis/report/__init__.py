"""One self-contained page about campaigns: what was recorded, and what it teaches.

write_report(folders, out, behaviour, say=print, seed=0, classifiers=(), jobs=1)
"""

from analysis.report.write import write_report

__all__ = ["write_report"]
