"""The red team: secrets of a made-up home, planted in protocols of all sorts.

    python -m tests.bench.redteam [--seeds 1,2,3,4,5] [--out FOLDER]

Each secret lies in a capture of its own, in a campaign of the virtual lab. What is
harvested of it, what is left of it after the anonymiser, and whether the audit refuses
its capture, is counted: what is left and not refused has escaped. A second look is with
`harvest` blind, so that the audit stands alone.
Writes FOLDER/redteam.json.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.redteam.attack import attacked, summary


def main() -> None:
    """Measure, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    asked = parser.parse_args()
    figures: dict[str, Any] = {"seeds": asked.seeds}
    for name, blind in (("with_harvest", False), ("audit_alone", True)):
        for seed in map(int, asked.seeds.split(",")):
            with tempfile.TemporaryDirectory(prefix="testbed-redteam-") as place:
                rows = attacked(Path(place), seed, blind=blind)
            figures.setdefault(name, {})[seed] = summary(rows)
            assert all(row["planted"] for row in rows), rows
    asked.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(figures, indent=2) + "\n"
    (asked.out / "redteam.json").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
