"""The studies of behaviour through packets: recorded, classified, and forgotten again.

Of each scenario stay the activity log and the events that `classify` found in the
captures; the captures themselves, most of a gigabyte a week, are deleted.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EVENTS = "events.jsonl"


def record_and_classify(name: str, out: Path, learnt: Mapping[str, Any]) -> Path:
    """Return a folder with campaign.yaml, activities.csv and events.jsonl; made once.

    name    a scenario, or SCENARIO-SEED for other draws than its own
    learnt  device -> what `classify` knows of it; of another campaign
    """
    kept = out / "kept" / name
    if (kept / EVENTS).exists():
        return kept
    folder = _run(name, out)
    kept.mkdir(parents=True, exist_ok=True)
    begun = time.process_time()
    events = _classify(folder, learnt)
    took_s = time.process_time() - begun
    size_b = sum(path.stat().st_size for path in (folder / "raw").iterdir())
    for file in ("campaign.yaml", "activities.csv"):
        shutil.copyfile(folder / file, kept / file)
    facts = {"capture_b": size_b, "classify_s": took_s, "events": len(events)}
    (kept / "facts.json").write_text(json.dumps(facts) + "\n", encoding="utf-8")
    (kept / EVENTS).write_text("".join(events), encoding="utf-8")
    shutil.rmtree(folder)
    return kept


def _run(name: str, out: Path) -> Path:
    place = out / "captures"
    folder = place / name
    scenario, _, seed = name.partition("-")
    if (folder / "MANIFEST.sha256").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    for journal in place.glob("journal.sqlite*"):
        journal.unlink()
    words = [sys.executable, "-m", "testbed", "run", scenario, "--fast"]
    words += ["--out", str(place), "--campaign", name]
    words += ["--seed", seed] if seed else []
    subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return folder


def _classify(folder: Path, learnt: Mapping[str, Any]) -> list[str]:
    """Return the events as `classify --json` writes them."""
    from analysis.dataset import load_campaign
    from analysis.streaming.classify import classify_captures

    there = {device.name for device in load_campaign(folder).devices}
    watched = {name: each for name, each in learnt.items() if name in there}
    captures = sorted((folder / "raw").glob("*.pcapng"))
    found = classify_captures(captures, watched)
    return [json.dumps(asdict(event)) + "\n" for event in found]
