import json
import zipfile

import numpy as np
import pytest

from analysis.detectors.cadesh.store import load, save
from analysis.errors import ModelError


@pytest.mark.parametrize(
    "change",
    [
        {"middle": np.nan},
        {"spread": np.inf},
        {"weights": 0.0},
        {"weights": np.nan},
        {"weights": -1.0},
        {"points": np.nan},
        {"most": 0.0},
        {"most": float("nan")},
        {"step_two": "oracle"},
        {"least": 99},
        {"more": 0.0},
        {"t0.server.hour": -1},
    ],
)
def test_arrays_and_numbers_of_a_model_that_cannot_be_are_refused(
    model, tmp_path, change
):
    path = tmp_path / "m.npz"
    save(model, path)
    ((name, value),) = change.items()
    with np.load(path) as held:
        arrays = {each: held[each] for each in held.files}
    header = json.loads(arrays["header"].tobytes())
    if name in ("step_two", "least"):
        header["choices"][name] = value
    elif name == "most":
        header[name] = value
    else:
        arrays[name] = np.full_like(arrays.get(name, np.zeros(9)), value)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(path, **arrays)

    with pytest.raises(ModelError, match="train it again"):
        load(path)


def test_an_array_that_claims_more_than_it_holds_takes_no_memory(model, tmp_path):
    path = tmp_path / "m.npz"
    save(model, path)
    with zipfile.ZipFile(path) as held:
        parts = {name: held.read(name) for name in held.namelist()}
    plain, claims = b"(48,), }" + 8 * b" ", b"(9000000000,), }"
    assert plain in parts["weights.npy"]
    parts["weights.npy"] = parts["weights.npy"].replace(plain, claims)
    with zipfile.ZipFile(path, "w") as made:
        for name, data in parts.items():
            made.writestr(name, data)
    with pytest.raises(ModelError, match="train it again"):
        load(path)
