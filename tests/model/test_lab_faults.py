"""What a lab file says that can never work is told before anything starts."""

from pathlib import Path

import pytest

from testbed.model.load import check_all, load_for_plan, load_lab, load_profiles
from testbed.model.source import FaultyFilesError

ROOT = Path(__file__).parents[2]
LAB = (ROOT / "lab.yaml").read_text(encoding="utf-8")
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43


@pytest.fixture
def faults_of(tmp_path):
    """Return a function: the text of a lab file -> its faults as (place, message)."""
    profiles = load_profiles(ROOT / "devices")

    def found(text):
        path = tmp_path / "lab.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            load_lab(path, profiles)
        except FaultyFilesError as exc:
            return [(f.place, f.message) for f in exc.faults]
        return []

    return found


@pytest.mark.parametrize(
    ("fault", "key", "words"),
    [
        ("kind: lying_plug, target: plug_tw", "target", "did you mean 'plug_tv'?"),
        ("kind: lying_plug, target: omna_180", "target", "is not a plug of this lab"),
        ("kind: deaf_speaker, target: ecko_dot", "target", "did you mean 'echo_dot'?"),
        ("kind: popup, target: pone", "target", "did you mean 'phone'?"),
        ("kind: tts_down, target: router", "target", "there is 'voice'"),
        ("kind: device_offline", "target", "needs the name of a device"),
        ("kind: tts_down, at: 9 s, until: 2 s", "until", "must be after `at` (9 s)"),
        ("kind: clock_step, value: 3 bananas", "value", "must be a duration"),
        ("kind: phone_slow, value: -4 s", "value", "got '-4 s'"),
        ("kind: app_updated, value: foo", "value", "must be 'id', 'text'"),
        ("kind: popup, value: forein touch", "value", "did you mean 'foreign'?"),
    ],
)
def test_a_fault_that_would_never_happen_is_told(faults_of, fault, key, words):
    (found,) = faults_of(f"{LAB}  faults:\n    - {{{fault}}}\n")
    assert found[0] == f"virtual.faults[0].{key}"
    assert words in found[1]


@pytest.mark.parametrize(
    "fault",
    [
        "kind: lying_plug, target: plug_tv, at: 1 s, until: 2 s",
        "kind: plug_unreachable, target: wemo_insight",
        "kind: clock_step, value: -800 ms",
        "kind: phone_slow, target: phone, value: 4 s",
        "kind: popup, target: arlo_q, value: foreign touch",
        "kind: phone_slow",
    ],
)
def test_a_fault_that_can_happen_is_taken(faults_of, fault):
    assert faults_of(f"{LAB}  faults:\n    - {{{fault}}}\n") == []


@pytest.mark.parametrize(
    ("right", "wrong", "place", "words"),
    [
        ("host: 10.77.0.31", "host: 127.0.0.999", "plugs.plug_camera.host", "an IP"),
        ("host: 10.77.0.31", "host: a b", "plugs.plug_camera.host", "a host name"),
        ('"uuid:Insight-1_0-SIM00000031"', '""', "plugs.plug_camera.udn", "setup.xml"),
        ("host: 10.78.0.1", "host: 10.78.0", "router.host", "an IP address"),
        ('"${TESTBED_LAB_STATE}/router/captures"', "cap", "router.folder", "absolute"),
        ('pcm_tcp: "10.78.0.30:4711"', "command: [play]", "voice.command", "'{wav}'"),
        (
            'host_key_file: "${TESTBED_LAB_STATE}/router_host_key.pub"',
            "host_key: ssh-ed25519 AAAA...",
            "router.host_key",
            "ssh-keyscan 10.78.0.1",
        ),
    ],
)
def test_what_cannot_be_meant_is_told(faults_of, right, wrong, place, words):
    assert right in LAB
    (found,) = faults_of(LAB.replace(right, wrong, 1))
    assert found[0] == place
    assert words in found[1]


@pytest.mark.parametrize(
    ("right", "other"),
    [
        ("host: 10.77.0.31", "host: plug-1.lan"),
        ("host: 10.77.0.31", 'host: "fe80::1"'),
        ("host: 10.77.0.31", 'host: "${PLUG}"'),
        (
            'host_key_file: "${TESTBED_LAB_STATE}/router_host_key.pub"',
            f"host_key: ssh-ed25519 {KEY} me@router",
        ),
    ],
)
def test_what_can_be_meant_is_taken(faults_of, right, other):
    assert faults_of(LAB.replace(right, other, 1)) == []


def test_a_plan_finds_the_faults_that_check_finds(tmp_path):
    lab = tmp_path / "lab.yaml"
    lab.write_text(LAB.replace("22\n", "x\n"))
    scenarios = tmp_path / "scenarios"
    scenarios.mkdir()
    scenario = scenarios / "mine.yaml"
    scenario.write_text("scenario: mine\ndevices: [ecko_dot]\n")
    checked = check_all(lab, ROOT / "devices", scenarios).faults
    with pytest.raises(FaultyFilesError) as caught:
        load_for_plan(lab, ROOT / "devices", scenario)
    assert caught.value.faults == checked
    assert len(checked) == 2
