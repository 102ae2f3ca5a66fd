"""Cases of the fast form: instruments and devices, and the network around them."""

from tests.bench.faultmatrix.case import (
    BEFORE,
    BETWEEN,
    DURING,
    WINDOW,
    Case,
    Form,
    Moment,
    Strike,
)

_LAST = Moment(when="in the last trial", kind="stimulus_issued", n=3, after_s=0.1)
_SECOND = Moment(when="as a trial begins", kind="trial_started", n=2)
_SPEAKER = "{device: echo_dot, activities: [ask_time], channels: [voice], repeats: 3}"
_CAMERA = "{device: omna_180, activities: [power_off, power_on], repeats: 2}"
_CLOUD = "{device: arlo_q, activities: [take_snapshot], networks: [lan], repeats: 3}"
_SWITCH = "{device: tplink_hs110, activities: [turn_on, turn_off], repeats: 2}"

PAUSED = "paused and resumed; what it touched is done again"
AGAIN = "the attempt fails, and is done again"


def _case(
    name: str,
    strike: Strike,
    expected: str,
    shows: str,
    *,
    exits: tuple[int, ...] = (0,),
    outcomes: tuple[str, ...] = (),
    devices: tuple[str, ...] = (),
    limits: dict[str, str] | None = None,
) -> Case:
    return Case(
        name=name,
        form=Form.FAST,
        strikes=(strike,),
        expected=expected,
        shows=tuple(shows.split(", ")),
        exits=exits,
        outcomes=outcomes,
        devices=devices,
        limits=limits or {},
    )


_PHONE = (
    _case(
        "phone offline in a trial",
        Strike(kind="phone_offline", moment=DURING, lasts_s=20.0),
        PAUSED,
        "suspended phone",
    ),
    _case(
        "phone offline between trials",
        Strike(kind="phone_offline", moment=BETWEEN, lasts_s=20.0),
        PAUSED,
        "suspended phone",
    ),
    _case(
        "phone offline for good",
        Strike(kind="phone_offline", moment=_LAST),
        "exit 3 after the limit; resumed when it is back",
        "suspended phone",
        exits=(3, 0),
        limits={"give_up": "30 s"},
    ),
    _case(
        "phone restarts",
        Strike(kind="phone_reboot", moment=DURING, value="12 s", lasts_s=1.0),
        PAUSED,
        "suspended phone",
    ),
    _case(
        "phone is slow",
        Strike(kind="phone_slow", moment=DURING, value="4 s", lasts_s=30.0),
        "slower, and nothing else",
        "untouched",
    ),
    _case(
        "pop-up over the app",
        Strike(kind="popup", moment=BEFORE, lasts_s=30.0),
        "closed before the stimulus",
        "untouched",
    ),
    _case(
        "pop-up under the finger",
        Strike(kind="popup", moment=_SECOND, value="foreign touch", lasts_s=4.0),
        "no effect, no label; done again",
        "no_effect",
    ),
    _case(
        "permission dialog",
        Strike(kind="permission_dialog", moment=_SECOND, lasts_s=15.0),
        "closed before the stimulus",
        "untouched",
    ),
    _case(
        "app does not respond",
        Strike(kind="anr", moment=_SECOND, lasts_s=0.8),
        AGAIN,
        "failed",
    ),
    _case(
        "app is updated",
        Strike(kind="app_updated", moment=BETWEEN, lasts_s=20.0),
        PAUSED,
        "suspended app",
    ),
    _case(
        "app is updated and its buttons change places",
        Strike(kind="app_updated", moment=BETWEEN, value="swap", lasts_s=20.0),
        PAUSED,
        "suspended app",
        devices=(_SWITCH,),
    ),
    _case(
        "view tree is stale",
        Strike(kind="stale_dump", moment=_SECOND, lasts_s=15.0),
        AGAIN,
        "failed",
    ),
    _case(
        "no view tree",
        Strike(kind="dump_fails", moment=_SECOND, lasts_s=15.0),
        AGAIN,
        "failed",
    ),
)

_SPEAKERS_AND_PLUGS = (
    _case(
        "speaker hears nothing for a while",
        Strike(kind="deaf_speaker", target="echo_dot", moment=_SECOND, lasts_s=10.0),
        "no effect, no label; done again",
        "no_effect",
        devices=(_SPEAKER,),
    ),
    _case(
        "speaker hears nothing at all",
        Strike(kind="deaf_speaker", target="echo_dot", moment=BEFORE),
        "no effect, no labels; exit 1",
        "no_effect",
        exits=(1,),
        outcomes=("no_effect",),
        devices=(_SPEAKER,),
    ),
    _case(
        "plug says yes and switches nothing",
        Strike(kind="lying_plug", target="plug_camera", moment=_SECOND, lasts_s=15.0),
        "no effect, no label; done again",
        "no_effect",
        devices=(_CAMERA,),
    ),
    _case(
        "plug is stuck",
        Strike(kind="stuck_plug", target="plug_camera", moment=_SECOND, lasts_s=15.0),
        "no effect, no label; done again",
        "no_effect",
        devices=(_CAMERA,),
    ),
    _case(
        "plug cannot be reached",
        Strike(
            kind="plug_unreachable", target="plug_camera", moment=_SECOND, lasts_s=20.0
        ),
        PAUSED,
        "suspended plug",
        devices=(_CAMERA,),
    ),
    _case(
        "plug speaks nonsense",
        Strike(kind="api_garbled", target="plug_camera", moment=_SECOND, lasts_s=10.0),
        PAUSED,
        "suspended plug",
        devices=(_CAMERA,),
    ),
)

_NETWORK = (
    _case(
        "device falls off the network",
        Strike(
            kind="device_offline", target="tplink_hs110", moment=WINDOW, lasts_s=60.0
        ),
        PAUSED,
        "suspended device, voided",
        limits={"device_silent": "20 s"},
    ),
    _case(
        "device restarts by itself",
        Strike(
            kind="device_reboots", target="tplink_hs110", moment=_SECOND, lasts_s=6.0
        ),
        "no effect, no label; done again",
        "no_effect",
    ),
    _case(
        "internet is down",
        Strike(kind="internet_down", moment=_SECOND, lasts_s=30.0),
        PAUSED,
        "suspended internet",
        devices=(_CLOUD,),
    ),
    _case(
        "router's clock jumps",
        Strike(kind="clock_step", moment=BETWEEN, value="3 s"),
        "the map of the clocks is parted there; the labels stand",
        "untouched",
    ),
    _case(
        "router's clock jumps back in a window",
        Strike(kind="clock_step", moment=WINDOW, value="-800 ms"),
        "what is near the jump is done again",
        "voided",
    ),
    _case(
        "capture drops packets in a window",
        Strike(kind="capture_drops", moment=WINDOW, lasts_s=2.0),
        "said so in the journal; the labels stand",
        "dropped",
    ),
    _case(
        "capture drops a trial's beacons",
        Strike(kind="capture_drops", moment=_SECOND, lasts_s=3.0),
        "the trial is not proven recorded; done again",
        "dropped, voided",
    ),
    _case(
        "capture is killed",
        Strike(kind="capture_killed", moment=DURING, lasts_s=1.0),
        "started anew; what was not recorded is done again",
        "restarted, voided",
    ),
    _case(
        "router's disk is full",
        Strike(kind="router_disk_full", moment=WINDOW, lasts_s=30.0),
        PAUSED,
        "suspended disk, voided",
    ),
    _case(
        "router restarts and loses its files",
        Strike(kind="router_reboot", moment=WINDOW, value="lost", lasts_s=15.0),
        "paused and resumed; all that was lost is done again",
        "restarted, voided",
    ),
)

FAST = (*_PHONE, *_SPEAKERS_AND_PLUGS, *_NETWORK)
