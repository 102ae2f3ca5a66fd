import hashlib
import json
import zipfile

import numpy as np
import pytest

from testbed.errors import ConfigError
from testbed.virtual.twin import read
from testbed.virtual.twin.read import load_twin, mac_of, slugs, twin_name


def test_a_twin_is_read_as_it_was_written(twin):
    assert twin.device == "lamp_twin"
    assert {name: len(t) for name, t in twin.trials.items()} == {"ask": 6, "stop": 6}
    assert len(twin.trials["ask"][0].shape) == 60
    assert twin.idle[0].mean_s == 5.0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"change": {"kind": "other"}}, "is no twin"),
        ({"change": {"format": 9}}, "has format 9"),
        ({"change": {"remotes": ["here"]}}, "is no twin"),
        ({"change": {"remotes": []}}, "remotes do not fit"),
        ({"change": {"spread": 1e9}}, "spread do not fit"),
        ({"change": {"mac": "../../etc"}}, "mac do not fit"),
        ({"change": {"activities": [{"activity": "ask"}]}}, "is no twin"),
        ({"change": {"source": 7}}, "is no twin"),
        ({"change": {"sessions": ["one"]}}, "sessions do not fit"),
        ({"change": {"activities": []}}, "activities do not fit"),
        ({"arrays": {"trial_first": np.array([0, 5])}}, "rows do not fit"),
        ({"arrays": {"idle_mean_s": np.array([0.0])}}, "idle times do not fit"),
        ({"arrays": {"idle_cv": np.array(["x"], dtype=object)}}, "cv holds no numbers"),
        ({"arrays": {"idle_cv": np.zeros(1, np.float32)}}, "is of another type"),
        ({"arrays": {"idle_cv": np.zeros((1, 1))}}, "columns do not fit"),
        ({"arrays": {"more": np.zeros(1)}}, "has other arrays than a twin"),
        ({"arrays": {"../../more": np.zeros(1)}}, "has other arrays than a twin"),
    ],
)
def test_a_twin_that_makes_no_sense_is_refused(twin_file, changes, said):
    with pytest.raises(ConfigError, match=said):
        load_twin(twin_file(**changes))


def test_arrays_that_the_header_does_not_tell_of_are_refused(twin_file):
    path = twin_file()
    path.with_suffix(".npz").write_bytes(b"PK" + bytes(100))
    with pytest.raises(ConfigError, match="not what its JSON file tells"):
        load_twin(path)


def test_arrays_that_unpack_to_too_much_are_refused(twin_file, monkeypatch):
    path = twin_file()
    packed_b = path.with_suffix(".npz").stat().st_size
    monkeypatch.setattr(read, "MOST_ARRAYS_B", packed_b + 1)
    with pytest.raises(ConfigError, match="unpacks to more"):
        load_twin(path)


def test_an_array_that_claims_terabytes_is_refused_in_one_sentence(twin_file):
    path = twin_file()
    packed = path.with_suffix(".npz")
    with zipfile.ZipFile(packed) as held:
        parts = {name: held.read(name) for name in held.namelist()}
    data = parts["trial_length_b.npy"]
    at = data.index(b"'shape': (") + 10
    end = data.index(b"\n")
    said = b"%d,), }" % (1 << 42)
    data = data[:at] + said.ljust(end - at) + data[end:]
    with zipfile.ZipFile(packed, "w") as made:
        for name, part in (parts | {"trial_length_b.npy": data}).items():
            made.writestr(name, part)
    told = json.loads(path.read_text())
    told["arrays"]["sha256"] = hashlib.sha256(packed.read_bytes()).hexdigest()
    path.write_text(json.dumps(told))
    with pytest.raises(ConfigError, match="length_b is not as large as its head") as no:
        load_twin(path)
    assert "\n" not in str(no.value)


def test_a_file_that_is_missing_is_said_to_be(tmp_path, twin_file):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_twin(tmp_path / "none.json")
    path = twin_file()
    path.with_suffix(".npz").unlink()
    with pytest.raises(ConfigError, match="npz: cannot be read"):
        load_twin(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "7", '{"kind": 7}'])
def test_a_header_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "lamp.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"is not JSON|is no twin"):
        load_twin(path)


def test_names_of_others_become_names_that_scenarios_may_use():
    assert slugs(["Alexa, stop!", "alexa stop", "7 up", "?"]) == {
        "Alexa, stop!": "alexa_stop",
        "alexa stop": "alexa_stop_2",
        "7 up": "a_7_up",
        "?": "activity",
    }
    assert twin_name("Echo Dot") == "echo_dot_twin"
    assert twin_name("3-way") == "device_3_way_twin"


def test_a_twin_has_the_vendor_of_its_source_and_not_its_address(twin):
    assert mac_of(twin).startswith("aa:bb:cc:")
    assert mac_of(twin) != twin.mac
