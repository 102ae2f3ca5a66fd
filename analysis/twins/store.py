"""A learnt twin as two files: `<name>.json` and `<name>.npz`, without pickle.

Same twin, same bytes. The reader is `testbed.virtual.twin.read`, on the other side of
the wall between the analysis and the lab: the two share `analysis.pcap.twin_format`.
"""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from analysis.pcap.twin_format import FORMAT, KIND
from analysis.twins.model import LearntTwin, Shapes

__all__ = ["FORMAT", "save_twin"]


def save_twin(twin: LearntTwin, target: Path) -> int:
    """Write `target`.json and `target`.npz and return their bytes together.

    target  path without a suffix; its folder must be there
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **_arrays(twin))
    data = buffer.getvalue()
    header = {
        "kind": KIND,
        "format": FORMAT,
        "device": twin.device,
        "category": twin.category,
        "mac": twin.mac,
        "firmware": twin.firmware,
        "source": dict(twin.source),
        "spread": twin.spread,
        "activities": [
            {"activity": name, "delta_ns": delta_ns}
            for name, delta_ns in zip(twin.activities, twin.delta_ns, strict=True)
        ],
        "sessions": list(twin.sessions),
        "remotes": list(twin.remotes),
        "arrays": {
            "size_b": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        },
    }
    text = json.dumps(header, indent=1, allow_nan=False) + "\n"
    target.with_name(f"{target.name}.npz").write_bytes(data)
    target.with_name(f"{target.name}.json").write_text(text, encoding="utf-8")
    return len(data) + len(text.encode())


def _arrays(twin: LearntTwin) -> dict[str, Any]:
    trials, idle = twin.trials, twin.idle
    return {
        **_named("trial", trials.shapes),
        "trial_activity": trials.activity,
        "trial_session": trials.session,
        "trial_length_ns": trials.length_ns,
        **_named("idle", idle.shapes),
        "idle_source": idle.source,
        "idle_mean_s": idle.mean_s,
        "idle_cv": idle.cv,
    }


def _named(prefix: str, shapes: Shapes) -> dict[str, Any]:
    columns = {f"{prefix}_{name}": column for name, column in shapes.packets.items()}
    return {**columns, f"{prefix}_first": shapes.first}
