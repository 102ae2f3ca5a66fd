"""What the benches of payloads and signatures keep, and what they keep apart."""

import json

import pytest

from tests.bench import payloads, signatures

SCORE = {
    "seed": 101,
    "device": "tplink_hs110",
    "new": "raw_sets",
    "windows": 3,
    "tested": {"turn_on": 3},
    "right": [1, 1, 0],
    "session": ["a", "a", "b"],
    "answered": 1.0,
    "null": 0.3,
    "grams": None,
}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name in ("analysis", "testbed", "devices"):
        (tmp_path / name).mkdir()
    (tmp_path / "lab.yaml").write_text("lab: fast")
    (tmp_path / "analysis" / "one.py").write_text("ONE = 1")
    monkeypatch.setattr(payloads, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "name", ["analysis/one.py", "analysis/two.py", "testbed/two.py", "lab.yaml"]
)
def test_a_campaign_is_recorded_anew_when_the_code_has_changed(tree, name):
    before = payloads.digest("repeats: 40")
    assert payloads.digest("repeats: 40") == before
    assert payloads.digest("repeats: 41") != before
    (tree / name).write_text("ONE = 2")
    assert payloads.digest("repeats: 40") != before


def test_what_is_real_and_what_is_simulated_are_never_in_one_table():
    record = payloads.parts([{"capture": "c"}], [SCORE], [101])
    assert record["real"] == {"simulated": False, "captures": [{"capture": "c"}]}
    assert record["lab"]["simulated"] is True
    assert record["lab"]["seeds"] == [101]
    (pooled,) = record["lab"]["pooled"]
    assert (pooled["device"], pooled["n"]) == ("tplink_hs110", 3)
    record = signatures.parts({"tplink_hs110": {}}, [{"event": "e"}], [81])
    assert record["lab"]["simulated"] is True
    assert record["real"] == {"simulated": False, "captures": [{"event": "e"}]}


@pytest.mark.parametrize("bench", [payloads, signatures])
def test_what_was_measured_is_written(bench, tmp_path, monkeypatch):
    monkeypatch.delenv("TESTBED_PUBLIC_DATA", raising=False)
    monkeypatch.setattr(bench, "DEVICES", ())
    monkeypatch.setattr(bench, "recorded", lambda out, seed: out / str(seed))
    bench.main(["--out", str(tmp_path), "--seed", "5"])
    (path,) = tmp_path.glob("*.json")
    record = json.loads(path.read_text())
    assert (record["lab"]["simulated"], record["lab"]["seeds"]) == (True, [5])
    assert record["real"] == {"simulated": False, "captures": []}
