"""Cases of the live form: real sshd, real capture tools, real links and disks."""

from tests.bench.faultmatrix.case import (
    BEFORE,
    BETWEEN,
    DURING,
    FETCHING,
    FOR_GOOD,
    LABELLING,
    Case,
    Form,
    Moment,
    Strike,
)
from tests.bench.faultmatrix.cases_fast import PAUSED

_WINDOW = Moment(when="in the window", kind="stimulus_returned", n=2, after_s=1.0)
_LAST = Moment(when="in the last trial", kind="trial_started", n=3)
_SECOND = Moment(when="as a trial begins", kind="trial_started", n=2)
_SPEAKER = "{device: echo_dot, activities: [ask_time], channels: [voice], repeats: 1}"
_CAMERA = "{device: omna_180, activities: [power_off, power_on], repeats: 1}"
_SWITCH = "{device: tplink_hs110, activities: [turn_on, turn_off], repeats: 2}"
_LONG = "{device: tplink_hs110, activities: [read_state], repeats: 7}"
_CLOUD = "{device: arlo_q, activities: [take_snapshot], networks: [lan], repeats: 2}"


def _case(
    name: str,
    kind: str,
    moment: Moment,
    lasts_s: float,
    expected: str,
    shows: str,
    *,
    target: str = "",
    value: str = "",
    exits: tuple[int, ...] = (0,),
    devices: tuple[str, ...] = (),
    limits: dict[str, str] | None = None,
) -> Case:
    strike = Strike(
        kind=kind, moment=moment, target=target, value=value, lasts_s=lasts_s
    )
    return Case(
        name=name,
        form=Form.LIVE,
        strikes=(strike,),
        expected=expected,
        shows=tuple(shows.split(", ")),
        exits=exits,
        devices=devices,
        limits=limits or {},
    )


_BEHIND = Moment(when="1.2 s into that trial", kind="trial_started", n=2, after_s=1.2)

# Here the phone is the real driver's, with its own finder, proofs by picture and adb;
# the fast form has a phone and a finder of its own.
_SCREENS = (
    _case(
        "view tree is stale, over adb",
        *("stale_dump", _SECOND, 15.0, "an old tree is no effect; done again"),
        "no_effect or failed",
        devices=(_SWITCH,),
    ),
    _case(
        "pop-up over the app, over adb",
        *("popup", BEFORE, FOR_GOOD, "closed before each stimulus", "untouched"),
    ),
    Case(
        name="pop-up in a stale view tree, over adb",
        form=Form.LIVE,
        strikes=(
            Strike(kind="popup", moment=_SECOND, lasts_s=18.0),
            Strike(kind="stale_dump", moment=_BEHIND, lasts_s=15.0),
        ),
        expected="nothing below it is touched; done again",
        shows=("failed or no_effect",),
    ),
    _case(
        "app is updated and its buttons change places, over adb",
        *("app_updated", BETWEEN, 20.0, PAUSED, "suspended app"),
        value="swap",
        devices=(_SWITCH,),
    ),
)

LIVE = (
    *_SCREENS,
    _case(
        "phone's adb goes away in a trial",
        *("phone_offline", DURING, 20.0, PAUSED, "suspended phone or failed"),
    ),
    _case(
        "capture tool is killed",
        *(
            "capture_killed",
            DURING,
            1.0,
            "started anew; done again",
            "restarted, voided",
        ),
    ),
    _case(
        "management link is pulled",
        *("router_link_down", BETWEEN, 30.0, PAUSED, "suspended router"),
    ),
    _case(
        "management link is pulled for good",
        *("router_link_down", _LAST, FOR_GOOD),
        "exit 3 after the limit; resumed when it is back",
        "suspended router",
        exits=(3, 0),
        limits={"give_up": "15 s"},
    ),
    _case(
        "ssh hangs in a window",
        *("ssh_hang", _WINDOW, 30.0, PAUSED, "suspended router"),
    ),
    _case(
        "ssh hangs while fetching",
        *("ssh_hang", FETCHING, 60.0, PAUSED, "suspended router"),
    ),
    _case(
        "ssh hangs while labelling",
        *(
            "ssh_hang",
            LABELLING,
            10.0,
            "nobody needs it any more",
            "untouched or suspended router",
        ),
    ),
    _case(
        "router restarts",
        *("router_reboot", _WINDOW, 8.0),
        "started anew; what was not recorded is done again",
        "restarted, voided",
    ),
    _case(
        "router restarts and its captures are gone",
        *("router_reboot", BETWEEN, 8.0),
        "started anew; all that was lost is done again",
        "restarted, voided",
        value="lost",
    ),
    _case(
        "router's disk fills up",
        *("router_disk_full", _WINDOW, 15.0, PAUSED, "suspended disk"),
    ),
    _case(
        "no way to the cloud",
        *("internet_down", _SECOND, 20.0, PAUSED, "suspended internet"),
        devices=(_CLOUD,),
    ),
    _case(
        "device loses its Wi-Fi",
        *("device_offline", _WINDOW, 90.0, PAUSED, "suspended device"),
        target="tplink_hs110",
        devices=(_LONG,),
        limits={"device_silent": "50 s"},
    ),
    _case(
        "plug loses its Wi-Fi",
        *("plug_unreachable", _SECOND, 20.0, PAUSED, "suspended plug"),
        target="plug_camera",
        devices=(_CAMERA,),
    ),
    _case(
        "plug talks nonsense",
        *("api_garbled", _SECOND, 12.0, PAUSED, "suspended plug"),
        target="plug_camera",
        devices=(_CAMERA,),
    ),
    _case(
        "plug is pressed by hand and moves to another port",
        *("plug_flaps", BETWEEN, FOR_GOOD),
        "found again by its UDN; an effect that is there already is none",
        "failed",
        target="plug_camera",
        devices=(_CAMERA,),
    ),
    _case(
        "clock jumps between two beacons",
        *("clock_step", _WINDOW, FOR_GOOD),
        "what is near the jump is done again",
        "voided",
        value="-2 s",
    ),
    _case(
        "capture tool drops packets",
        *("capture_drops", _SECOND, 3.0),
        "said so in the journal; trials without beacons are done again",
        "dropped, voided",
    ),
    _case(
        "speech service is down",
        *("tts_down", BEFORE, FOR_GOOD, "espeak-ng speaks instead", "fallback"),
        devices=(_SPEAKER,),
    ),
    _case(
        "disk here runs low",
        *("disk_here", BETWEEN, 12.0, PAUSED, "suspended disk"),
        value="10",
    ),
    _case(
        "disk here is full",
        *("disk_here", _SECOND, FOR_GOOD),
        "exit 4; resumed when there is space",
        "aborted",
        value="0",
        exits=(4, 0),
    ),
)
