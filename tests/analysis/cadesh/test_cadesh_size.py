import numpy as np
import pytest

from analysis.detectors.cadesh import store
from analysis.errors import ModelError


def test_a_file_that_unpacks_to_more_than_a_model_may_have_is_refused(
    tmp_path, monkeypatch
):
    small, large = tmp_path / "m.npz", tmp_path / "raw.npz"
    np.savez_compressed(small, header=np.zeros(3 << 20, dtype=np.uint8))
    np.savez(large, header=np.zeros(3 << 20, dtype=np.uint8))
    assert small.stat().st_size < 1 << 16
    monkeypatch.setattr(store, "MOST_B", 2 << 20)
    for path in (small, large):
        with pytest.raises(ModelError, match="3 MiB, and a model has at most 2;"):
            store.load(path)
