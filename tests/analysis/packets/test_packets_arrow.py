import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from analysis.packets.arrow import named_by, numbers_of, to_arrow, to_numpy

KINDS = ["i8", "u4", "u2", "u1", "i4", "i2", "?"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [0, 1, 9, 64])
def test_a_column_is_the_one_that_pyarrow_makes_and_comes_back(kind, n):
    column = np.random.default_rng(n).integers(0, 2, n).astype(kind)
    made = to_arrow(column)
    assert made.equals(pa.array(column))
    again = to_numpy(made)
    assert again.dtype == column.dtype
    assert again.tolist() == column.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_slice_comes_back_as_such(kind):
    column = (np.arange(50) % 3 == 0).astype(kind)
    assert to_numpy(to_arrow(column)[11:31]).tolist() == column[11:31].tolist()


def test_texts_are_told_by_number_and_null_where_there_is_none():
    number = np.array([1, -1, 0, 1], dtype=np.int32)
    column = named_by(number, ["one", "zwölf"])
    assert column.to_pylist() == ["zwölf", None, "one", "zwölf"]
    back, texts = numbers_of(column[1:])
    assert (back.tolist(), texts) == ([-1, 0, 1], ["one", "zwölf"])
    assert named_by(np.full(2, -1, dtype=np.int32), []).to_pylist() == [None, None]


CODE = """
import sys
from pathlib import Path
from analysis.dataset import Device
from analysis.packets import load_packets, make_tables
from analysis.packets.flows import load_flows
folder, capture = map(Path, sys.argv[1:])
make_tables(folder, [capture], [Device(name="lamp", mac="02:00:00:00:00:11")])
assert len(load_packets(folder, "lamp")) == len(load_flows(folder, "lamp")) == 1
assert "pandas" not in sys.modules
"""


def test_tables_are_made_and_read_without_pandas(craft, write, tmp_path):
    path = write([(0, craft.udp4(b"x"))])
    subprocess.run([sys.executable, "-c", CODE, tmp_path, path], check=True)
