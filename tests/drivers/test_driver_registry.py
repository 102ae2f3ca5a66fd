import subprocess
import sys

import pytest

from testbed.clock import VirtualClock
from testbed.drivers import registry
from testbed.drivers.registry import Driver
from testbed.errors import ConfigError


def test_every_driver_of_lab_yaml_is_found():
    assert set(registry.discover()) >= {
        ("phone", "androidviewclient"),
        ("voice", "tts"),
        ("plug", "pywemo"),
        ("router", "ssh"),
    }


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="'shh' is not a router driver; did you mean"):
        registry.find_driver("router", "shh")
    with pytest.raises(ConfigError, match=r"there are: .*pywemo"):
        registry.find_driver("plug", "xyzzy")


def test_a_name_used_twice_is_refused_with_both_modules():
    driver = Driver(kind="plug", name="mine", open=lambda at, clock: at)
    other_kind = Driver(kind="voice", name="mine", open=lambda at, clock: at)
    assert len(registry.collect([("a", driver), ("b", other_kind)])) == 2
    with pytest.raises(ConfigError, match="'mine': one and two"):
        registry.collect([("one", driver), ("two", driver)])


def test_a_driver_is_opened_with_its_section_and_a_clock(monkeypatch):
    driver = Driver(kind="plug", name="mine", open=lambda at, clock: (at, clock))
    monkeypatch.setattr(registry, "discover", lambda: {("plug", "mine"): driver})
    clock = VirtualClock()
    assert registry.open_driver("plug", "mine", "section", clock) == ("section", clock)


def test_looking_for_drivers_does_not_load_their_libraries():
    code = (
        "import sys; from testbed.drivers.registry import discover; discover();"
        "print([m for m in ('paramiko', 'pywemo', 'gtts', 'com') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
