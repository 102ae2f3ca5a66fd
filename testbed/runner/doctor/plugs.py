"""The smart plugs: whether they are the pinned ones, answer and switch."""

from concurrent.futures import ThreadPoolExecutor

from testbed.errors import DriverRefusedError
from testbed.model.lab import PlugAt
from testbed.runner.bench import Plug
from testbed.runner.doctor.findings import Said, Value, Verdict
from testbed.runner.doctor.ward import Ward

_ANSWER_S = 20.0
_SWITCH_S = 30.0


def look_at_plugs(ward: Ward) -> None:
    """Look at all plugs of the lab that matter, side by side."""
    names = [
        name
        for name, at in ward.lab.plugs.items()
        if ward.plan is None or {at.feeds, at.is_device} & ward.profiles.keys()
    ]
    if not names:
        return
    with ThreadPoolExecutor(len(names), thread_name_prefix="plugs") as pool:
        list(pool.map(lambda name: _look_at_plug(ward, name), names))


def _look_at_plug(ward: Ward, name: str) -> None:
    examiner, at = ward.examiner, ward.lab.plugs[name]

    def answers() -> tuple[Said, Plug]:
        plug: Plug = ward.opened("plug", at)
        return _state(plug, at), plug

    plug = examiner.look("plugs.state", answers, deadline_s=_ANSWER_S, target=name)
    if at.feeds is None:
        examiner.skip("plugs.switches", "it is itself a device under test", name)
    elif not ward.switching:
        why = f"only with --switch: it would cut the power of {at.feeds}"
        examiner.skip("plugs.switches", why, name)
    elif plug is None:
        examiner.skip("plugs.switches", "the plug does not answer", name)
    else:
        examiner.say(
            "plugs.switches",
            lambda: _switched(plug),
            deadline_s=_SWITCH_S,
            target=name,
        )


def _state(plug: Plug, at: PlugAt) -> Said:
    """Read state and power; a plug that is another one raises."""
    on = plug.read_power()
    measured: dict[str, Value] = {"host": at.host, "udn": at.udn, "on": on}
    try:
        power_w = plug.read_power_w()
    except DriverRefusedError as exc:
        return Said(said=f"{_word(on)}; {exc.reason}", measured=measured)
    measured["power_w"] = round(power_w, 2)
    if on and at.feeds and power_w <= 0:
        return Said(
            said=f"it says on, but nothing draws power ({power_w:g} W)",
            verdict=Verdict.WARNING,
            measured=measured,
            remedy=f"is {at.feeds} plugged in there, and switched on?",
        )
    return Said(said=f"{_word(on)}, {power_w:.1f} W", measured=measured)


def _switched(plug: Plug) -> Said:
    """Switch a plug to its other state and back; raises DriverError."""
    on = plug.read_power()
    try:
        there = plug.set_power(not on)
    finally:
        back = plug.set_power(on)
    took_ms = [(b.return_ns - b.issue_ns) / 1e6 for b in (there, back)]
    return Said(
        said=f"it switches, and back, in {sum(took_ms):.0f} ms",
        measured={"there_ms": round(took_ms[0], 1), "back_ms": round(took_ms[1], 1)},
    )


def _word(on: bool) -> str:
    return "on" if on else "off"
