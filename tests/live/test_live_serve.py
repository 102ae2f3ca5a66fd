"""The soak of `serve` in its short form: a kill in the middle, and nothing is lost."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(450)
def test_a_day_of_two_users_survives_a_kill_of_server_and_campaign(tmp_path):
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    # At this rate either user acts within the first 13 s, long before the kill.
    words = ["--minutes", "1.4", "--per-hour", "320", "--days", "1"]
    words += ["--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.serve_soak", *words],
        cwd=ROOT,
        env={**os.environ, "XDG_RUNTIME_DIR": str(runtime)},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["soak"] == "ok"
    assert summary["users"] == ["intruder", "resident"]
