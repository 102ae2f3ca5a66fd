import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def fuzz(tmp_path, *arguments, **environment):
    command = [sys.executable, "-m", "tests.bench.fuzz", "--json", "--crafted"]
    command += ["--keep", str(tmp_path / "kept"), *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def checked_cache(tmp_path_factory):
    """Keep the kernels that check their indices, so that they are compiled once."""
    sources = sorted((ROOT / "analysis" / "pcap").glob("*.py"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources))
    name = f"checked-kernels-{digest.hexdigest()[:16]}"
    return str(tmp_path_factory.getbasetemp().parent / name)


def test_damaged_captures_give_packets_or_one_error(tmp_path, checked_cache):
    seed = "2026"
    code, found = fuzz(
        tmp_path,
        *("--n", "3000", "--seed", seed),
        NUMBA_CHECKED_CACHE_DIR=checked_cache,
    )
    assert found["crashes"] == []
    assert code == 0
    assert found["bounds_checked"]
    assert sum(found["results"].values()) == 3000
    # the damage must not be such that nothing is read any more
    assert found["results"]["whole"] > 300
    assert found["packets"] > 3000
    assert found["slowest_s"] < 1
    assert found["growth_of_all_b"] < 200 << 20
    assert not (tmp_path / "kept").exists()


OUTSIDE = """
import numpy as np
from analysis.pcap.words import be32
be32(np.zeros(6, dtype=np.uint8), 3)
"""


def test_the_checked_build_sees_a_read_outside(tmp_path):
    checked = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", OUTSIDE],
        cwd=ROOT,
        env=os.environ | checked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "IndexError" in done.stderr


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (IndexError("index 7 is out of bounds"), "IndexError: index 7"),
        (MemoryError(), "MemoryError"),
        (None, "took 0"),
    ],
)
def test_what_is_not_a_capture_error_is_kept(
    tmp_path, monkeypatch, from_bench, failure, why
):
    fuzz = from_bench("tests.bench.fuzz")

    def read_all(_data):
        if failure is not None:
            raise failure
        return "whole", 1

    monkeypatch.setattr(fuzz, "read_all", read_all)
    monkeypatch.setattr(fuzz, "LIMIT_S", -1.0)
    run = fuzz.Run(tmp_path / "kept")
    run.take(4, b"input")
    assert run.results["crash"] == 1
    assert run.crashes[0]["why"].startswith(why)
    assert run.crashes[0]["number"] == 4
    assert (tmp_path / "kept" / run.crashes[0]["file"]).read_bytes() == b"input"


def test_the_number_and_the_seed_make_the_same_input_again(from_bench):
    mutated = from_bench("tests.bench.fuzz").mutated
    crafted = from_bench("tests.bench.seeds").crafted
    seeds = crafted(3)
    assert seeds == crafted(3)
    once = [mutated(random.Random(f"3 {n}"), seeds) for n in range(50)]
    again = [mutated(random.Random(f"3 {n}"), seeds) for n in range(50)]
    assert once == again
    assert len(set(once)) > 45
