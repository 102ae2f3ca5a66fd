import pytest

from testbed.clock import VirtualClock
from testbed.virtual.house import House, Scene

NS = 10**9


class Player:
    def __init__(self):
        self.played, self.silenced, self.woken = [], [], []

    def play(self, cause, exchanges, start_ns):
        self.played.append((cause, exchanges, start_ns))

    def silence(self, device, at_ns):
        self.silenced.append((device, at_ns))

    def wake(self, device, at_ns):
        self.woken.append((device, at_ns))


@pytest.fixture
def player():
    return Player()


@pytest.fixture
def clock():
    return VirtualClock(1_800_000_000 * NS)


@pytest.fixture
def scene(player, clock):
    return Scene(House(3), clock, player)


@pytest.fixture
def begin(scene, clock):
    def cause(device, activity, channel="phone", **parameters):
        network = "lan" if channel == "phone" else None
        scene.begin(
            device,
            activity,
            channel=channel,
            network=network,
            parameters=parameters,
            instant_ns=clock.now_ns(),
        )

    return cause


@pytest.mark.parametrize(
    ("device", "activity", "parameters", "status"),
    [
        ("arlo_q", "stream_video", {}, "Live"),
        ("arlo_q", "record_video", {}, "Recording"),
        ("omna_180", "take_snapshot", {}, "Snapshot saved"),
        ("arlo_q", "open_settings", {}, "Settings"),
        ("samsung_tv", "turn_on", {}, "On"),
        ("samsung_tv", "launch_app", {}, "App started"),
        ("samsung_tv", "play", {}, "Playing"),
        ("echo_dot", "volume_up", {}, "Volume 5"),
        ("koogeek_plug", "read_state", {}, "State: off"),
        ("iview_bulb", "set_colour", {"colour": "red"}, "Colour red"),
        ("iview_bulb", "set_brightness", {"brightness": "60"}, "Brightness 60"),
    ],
)
def test_the_app_shows_working_and_then_what_came_of_it(
    scene, begin, clock, device, activity, parameters, status
):
    begin(device, activity, **parameters)
    assert scene.state(device)["status"] == "Working"
    clock.sleep(3.1)
    assert scene.state(device)["status"] == status


def test_a_switch_changes_after_a_second_at_most(scene, begin, clock):
    begin("tplink_hs110", "turn_on")
    assert scene.state("tplink_hs110")["switch"] == "off"
    clock.sleep(1.0)
    assert scene.state("tplink_hs110")["switch"] == "on"


def test_power_off_silences_and_power_on_boots(scene, begin, player, clock):
    begin("omna_180", "power_off", "power")
    assert scene.state("omna_180")["power"] == "off"
    begin("omna_180", "stream_video")
    assert [d for d, _ in player.silenced] == ["omna_180"]
    assert [c.activity for c, *_ in player.played] == ["power_off"]
    begin("omna_180", "power_on", "power")
    assert player.woken == [("omna_180", clock.now_ns())]
    assert scene.state("omna_180")["power"] == "on"


def test_an_effect_that_is_due_dies_with_the_power(scene, begin, clock):
    begin("samsung_tv", "turn_on")
    begin("samsung_tv", "power_off", "power")
    clock.sleep(5.0)
    assert scene.state("samsung_tv")["switch"] == "off"


def test_a_speaker_remembers_what_it_heard_and_when(scene, begin, clock):
    spoken_ns = clock.now_ns()
    begin("echo_dot", "tell_joke", "voice", utterance="tell me a joke")
    state = scene.state("echo_dot")
    assert (state["heard"], state["heard_ns"]) == ("tell me a joke", str(spoken_ns))


def test_who_hears_late_does_not_play_the_past(scene, player, clock):
    instant_ns = clock.now_ns()
    clock.sleep(2.5)
    scene.begin(
        "echo_dot",
        "ask_time",
        channel="voice",
        network=None,
        parameters={},
        instant_ns=instant_ns,
    )
    cause, exchanges, start_ns = player.played[0]
    first_ns = start_ns + round(min(e.at_s for e in exchanges) * NS)
    assert cause.instant_ns == instant_ns
    assert first_ns >= clock.now_ns()


@pytest.mark.parametrize(("channel", "n_calls"), [("phone", 1), ("api", 0)])
def test_the_house_plays_no_call_that_the_controller_makes(
    scene, player, clock, channel, n_calls
):
    scene.begin(
        "wemo_insight",
        "turn_on",
        channel=channel,
        network="lan" if channel == "phone" else None,
        parameters={},
        instant_ns=clock.now_ns(),
    )
    _, exchanges, _ = player.played[0]
    assert sum(e.server == "wemo_insight" for e in exchanges) == n_calls


def test_on_mobile_data_the_phone_is_not_heard_on_the_lan():
    house = House(3)
    reaction = {
        network: house.react(
            "arlo_q",
            "stream_video",
            channel="phone",
            network=network,
            parameters={},
            state={"power": "on"},
        )
        for network in ("lan", "wan")
    }
    clients = {n: {e.client for e in r.exchanges} for n, r in reaction.items()}
    assert clients == {"lan": {"arlo_q", "phone"}, "wan": {"arlo_q"}}


def test_what_one_device_does_changes_nothing_for_another():
    def snapshot(house):
        return house.react(
            "omna_180",
            "take_snapshot",
            channel="phone",
            network="lan",
            parameters={},
            state={"power": "on"},
        )

    alone, busy = House(3), House(3)
    next(iter(busy.background("echo_dot")))
    assert snapshot(alone) == snapshot(busy)
    assert snapshot(alone) != snapshot(House(3, run="2"))
