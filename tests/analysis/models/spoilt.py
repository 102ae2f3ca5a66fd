"""Models that were spoilt after they were saved, and how that is told."""

import hashlib
import io
import json
import zipfile

import pytest

from analysis.errors import AnalysisError
from analysis.models import load


def spoil_header(folder, change):
    path = folder / "model.json"
    about = json.loads(path.read_text())
    change(about)
    path.write_text(json.dumps(about))


def replace_estimator(folder, data, name="camera"):
    """Put other bytes in place, with a header that agrees, as a forger would."""
    (folder / f"{name}.skops").write_bytes(data)

    def change(about):
        about["devices"][name]["sha256"] = hashlib.sha256(data).hexdigest()
        about["devices"][name]["size_b"] = len(data)

    spoil_header(folder, change)


def refused(folder):
    with pytest.raises(AnalysisError) as caught:
        load(folder)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 400 + 2 * len(str(folder))
    return sentence


def forged(data, old, new, ending="schema.json"):
    """Return a packed estimator with a part of its schema, or arrays, exchanged."""
    packed = zipfile.ZipFile(io.BytesIO(data))
    out, n_exchanged = io.BytesIO(), 0
    with zipfile.ZipFile(out, "w") as target:
        for name in packed.namelist():
            part = packed.read(name)
            if name.endswith(ending):
                n_exchanged += part.count(old)
                part = part.replace(old, new)
            target.writestr(name, part)
    assert n_exchanged
    return out.getvalue()
