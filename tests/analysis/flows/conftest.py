import numpy as np
import pytest

from analysis.flows import COLUMNS, ENDS, FlowRecords, Texts


@pytest.fixture
def records():
    def make(n, seed=1):
        rng = np.random.default_rng(seed)
        columns = {}
        for name, dtype in COLUMNS.items():
            if dtype is None:
                words = ENDS if name == "end" else ("", "a,b", 'c"d', "é\n")
                columns[name] = Texts.of(rng.choice(words, n).tolist())
            elif dtype is np.float64:
                columns[name] = np.where(rng.random(n) < 0.3, np.nan, rng.random(n))
            elif dtype is np.bool_:
                columns[name] = rng.random(n) < 0.5
            else:
                high = 200 if dtype is np.uint8 else 60_000
                columns[name] = rng.integers(1, high, n).astype(dtype)
        columns["start_ns"] += np.int64(1_790_000_000_123_456_789)
        columns["end_ns"] += columns["start_ns"]
        return FlowRecords(**columns)

    return make


@pytest.fixture
def assert_same():
    def check(one, two):
        assert len(one) == len(two)
        for name, dtype in COLUMNS.items():
            left, right = getattr(one, name), getattr(two, name)
            if dtype is None:
                assert left.tolist() == right.tolist(), name
            else:
                np.testing.assert_array_equal(left, right, err_msg=name)

    return check
