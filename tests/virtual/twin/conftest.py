import hashlib
import io
import json

import numpy as np
import pytest

from testbed.virtual.twin.read import load_twin

MS = 1_000_000


def one_trial(rng, n, size_b):
    """Return the packets of a trial: a question, then a train of answers and acks."""
    out = np.arange(n) % 3 == 0
    length = np.where(out, 66, 1514)
    length[0], length[2] = size_b + int(rng.integers(40)), 400 + int(rng.integers(90))
    out[:3] = (True, False, True)
    gaps = rng.gamma(2.0, 4 * MS, n)
    gaps[0] = 30 * MS
    return {
        "offset_ns": np.cumsum(gaps).astype(np.int64),
        "length_b": length.astype(np.uint32),
        "payload_b": (length - 66).astype(np.uint32),
        "outbound": out,
        "rare": np.isin(np.arange(n), (0, 2)),
        "ethertype": np.full(n, 0x0800, dtype=np.uint16),
        "protocol": np.full(n, 6, dtype=np.uint8),
        "tcp_flags": np.full(n, 0x18, dtype=np.uint8),
        "remote": np.zeros(n, dtype=np.int32),
        "remote_port": np.full(n, 443, dtype=np.uint16),
        "own_port": np.full(n, 40_000, dtype=np.uint16),
        "group": np.zeros(n, dtype=np.int32),
        "flow": np.zeros(n, dtype=np.int32),
    }


def files_of(folder, activities=("ask", "stop"), *, change=None, arrays=None):
    """Write a twin of six trials per activity, 60 to 90 packets each."""
    rng = np.random.default_rng(3)
    trials = [
        one_trial(rng, 60 + 6 * k, 500 + 300 * a)
        for a in range(len(activities))
        for k in range(6)
    ]
    beat = one_trial(rng, 3, 90)
    columns = {}
    for prefix, shapes in (("trial", trials), ("idle", [beat])):
        for name in beat:
            columns[f"{prefix}_{name}"] = np.concatenate([s[name] for s in shapes])
        sizes = [s["offset_ns"].size for s in shapes]
        columns[f"{prefix}_first"] = np.concatenate(([0], np.cumsum(sizes)))
    n = len(trials)
    columns |= {
        "trial_activity": np.repeat(np.arange(len(activities)), 6).astype(np.int32),
        "trial_session": np.tile([0, 0, 0, 1, 1, 1], len(activities)).astype(np.int32),
        "trial_length_ns": np.full(n, 4 * 10**9),
        "idle_source": np.zeros(1, dtype=np.int32),
        "idle_mean_s": np.array([5.0]),
        "idle_cv": np.array([0.1]),
    }
    columns |= arrays or {}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **columns)
    told = {
        "kind": "testbed twin",
        "format": 1,
        "device": "lamp",
        "category": "light",
        "mac": "aa:bb:cc:00:11:22",
        "firmware": "1",
        "source": {"campaign": "of_old", "simulated": True},
        "spread": 1.0,
        "activities": [{"activity": a, "delta_ns": 4 * 10**9} for a in activities],
        "sessions": ["one", "two"],
        "remotes": ["198.51.100.7"],
        "arrays": {"sha256": hashlib.sha256(buffer.getvalue()).hexdigest()},
    }
    told |= change or {}
    (folder / "lamp.npz").write_bytes(buffer.getvalue())
    (folder / "lamp.json").write_text(json.dumps(told))
    return folder / "lamp.json"


@pytest.fixture
def twin_file(tmp_path):
    """Return a function that writes the files of a small twin."""
    return lambda *args, **changes: files_of(tmp_path, *args, **changes)


@pytest.fixture
def twin(twin_file):
    return load_twin(twin_file())
