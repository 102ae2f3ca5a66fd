import itertools
import json

import numpy as np
import pytest

from testbed.virtual.house import House, payloads
from testbed.virtual.house.hosts import CLOUD, MULTICAST, NODES
from testbed.virtual.house.unit import draw_unit
from testbed.virtual.traffic import Transport

DAY_S = 86_400.0


def _day(house, device):
    return list(itertools.takewhile(lambda e: e[0] < DAY_S, house.background(device)))


@pytest.fixture(scope="module")
def house():
    return House(5)


each_source = pytest.mark.parametrize("device", House(5).sources)


@each_source
def test_background_comes_by_time_and_names_known_ends(house, device):
    day = _day(house, device)
    at_s = [at for at, _ in day]
    assert at_s == sorted(at_s)
    assert len(day) > 20
    for _, exchange in day:
        assert exchange.client == device
        known = exchange.server in NODES or exchange.server in CLOUD
        assert known or exchange.server in MULTICAST


@pytest.mark.parametrize("device", House(5).devices)
def test_keep_alives_come_every_ten_to_sixty_seconds_with_jitter(house, device):
    at_s = [
        at
        for at, e in _day(house, device)
        if e.connection and len(e.messages) == 2 and e.messages[0].size_b < 240
    ]
    gaps = np.diff(at_s)
    assert 5 < np.median(gaps) < 70
    assert gaps.std() > 0.5


@pytest.mark.parametrize("device", House(5).devices)
def test_boot_finds_its_address_its_time_and_its_cloud(house, device):
    boot = house.boot(device)
    assert {67, 53, 123} <= {e.port for e in boot}
    assert any(e.connection for e in boot)
    assert 3 < max(e.at_s for e in boot) < 20


@pytest.mark.parametrize("device", House(5).devices)
def test_a_datagram_fits_into_a_frame(house, device):
    exchanges = [e for _, e in _day(house, device)] + list(house.boot(device))
    sizes = [
        m.size_b for e in exchanges if e.transport is Transport.UDP for m in e.messages
    ]
    assert max(sizes) <= 1472


@pytest.mark.parametrize(
    ("activity", "channel"), [("ask_weather", "voice"), ("volume_up", "phone")]
)
def test_a_datagram_of_an_activity_fits_into_a_frame_however_often(activity, channel):
    sizes = []
    for session in range(60):
        house = House(session)
        reaction = house.react(
            "home_mini",
            activity,
            channel=channel,
            network="lan" if channel == "phone" else None,
            parameters={},
            state={"power": "on"},
        )
        assert reaction is not None
        sizes += [
            m.size_b
            for e in reaction.exchanges
            if e.transport is Transport.UDP
            for m in e.messages
        ]
    assert 1000 < max(sizes) <= 1472


def test_kasa_messages_can_be_read_and_fit_a_real_vector():
    text = b'{"system":{"get_sysinfo":{}}}'
    message = payloads.kasa_encrypt(text)
    assert message[:4] == len(text).to_bytes(4)
    assert message[4:8] == bytes((0xD0, 0xF2, 0x81, 0xF8))  # published first bytes
    keys = bytes((171,)) + message[4:-1]
    assert bytes(c ^ k for c, k in zip(message[4:], keys, strict=True)) == text


@pytest.mark.parametrize("action", ["turn_on", "turn_off", "read_state"])
def test_http_bodies_are_as_long_as_their_headers_say(action):
    rng = np.random.default_rng(1)
    turns = payloads.wemo(action, True, "10.77.0.16", rng)
    turns += payloads.koogeek(action, True, "10.77.0.18", rng)
    for message in itertools.chain.from_iterable(turns):
        head, _, body = message.partition(b"\r\n\r\n")
        lines = (line.lower().partition(b":") for line in head.split(b"\r\n")[1:])
        fields = {name: value for name, _, value in lines}
        assert len(body) == int(fields.get(b"content-length", b"0"))


def test_times_that_apps_tell_are_those_of_the_lab():
    at_s = 1_900_000_000
    rng = np.random.default_rng(1)
    bulb = payloads.iview("turn_on", {"1": True}, rng, at_s * 10**9)
    assert abs(json.loads(bulb[0][0][16:-8])["t"] - at_s) <= 30
    state = payloads.wemo_insight_state(True, rng, at_s * 10**9)
    assert abs(int(state.split("|")[1]) - at_s) <= 30


def test_on_and_off_of_the_bulb_differ_in_its_payload_only():
    texts = []
    for on in (True, False):
        turns = payloads.iview("turn_on", {"1": on}, np.random.default_rng(1))
        text = turns[0][0][16:-8]
        texts.append(json.loads(text)["dps"])
    assert texts == [{"1": True}, {"1": False}]


def test_copies_firmware_and_sessions_of_one_model_differ():
    def unit(**change):
        facts = {"unit": "1", "firmware": "1.0", "session": 0} | change
        return draw_unit("arlo_q", seed=1, **facts)

    units = [unit(), unit(unit="2"), unit(firmware="2.0"), unit(session=1)]
    assert len({(u.size, u.pace) for u in units}) == len(units)
    assert unit() == unit()


def test_the_same_firmware_does_the_same_to_every_copy():
    def mean_size(firmware):
        copies = [
            draw_unit("arlo_q", unit=str(n), firmware=firmware, session=0, seed=1)
            for n in range(200)
        ]
        return np.mean([np.log(u.size) for u in copies])

    spread = [mean_size(f"{n}.0") for n in range(40)]
    assert 0.02 < np.std(spread) < 0.06
