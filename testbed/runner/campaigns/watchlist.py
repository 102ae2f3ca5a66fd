"""What is watched in a campaign: what its trials need and its lab can tell."""

from collections.abc import Callable

from testbed.model.plan import Plan
from testbed.model.protocols import Lively, Lookout
from testbed.runner.campaigns.folder import load_inputs
from testbed.runner.pauses.touched import needs_of
from testbed.runner.pauses.watches import (
    AppWatch,
    ClockWatch,
    DeviceWatch,
    DiskHereWatch,
    DiskThereWatch,
    InternetWatch,
    PhoneWatch,
    PlugWatch,
    RouterWatch,
    VoiceWatch,
    Watch,
)
from testbed.runner.trials.site import Site


def watches_of(
    site: Site, plan: Plan, clock: ClockWatch, is_off: Callable[[str], bool]
) -> list[Watch]:
    """Return what is to be watched; what an instrument cannot tell is left out.

    is_off  whether a device has no power, or may have none
    """
    needs = set[tuple[str, str]]()
    for trial in plan.trials:
        needs |= needs_of(trial, site.profiles[trial.device], site.lab)
    found: list[Watch] = [RouterWatch(site.bench.capture), clock]
    found += _instruments(site, needs)
    found += _apps(site, needs)
    found += _surroundings(site, needs, is_off)
    return found


def _instruments(site: Site, needs: set[tuple[str, str]]) -> list[Watch]:
    bench, found = site.bench, list[Watch]()
    if ("phone", "") in needs and bench.phone is not None:
        found.append(PhoneWatch(bench.phone))
    if ("voice", "") in needs and isinstance(bench.voice, Lively):
        found.append(VoiceWatch(bench.voice))
    for name, plug in bench.plugs.items():
        if ("plug", name) in needs:
            is_device = site.lab.plugs[name].is_device is not None
            found.append(PlugWatch(name, plug, is_device=is_device))
    return found


def _apps(site: Site, needs: set[tuple[str, str]]) -> list[Watch]:
    """Watch the apps whose versions were frozen when the campaign began."""
    found = list[Watch]()
    for described in load_inputs(site.folder)["devices"]:
        device, version = described["device"], described.get("app_version", "")
        app = site.profiles[device].app
        if ("app", device) in needs and version and app and site.bench.phone:
            found.append(AppWatch(device, app.package, version, site.bench.phone))
    return found


def _surroundings(
    site: Site, needs: set[tuple[str, str]], is_off: Callable[[str], bool]
) -> list[Watch]:
    limits = site.lab.limits
    found: list[Watch] = [DiskHereWatch(site.folder, limits.free_mb)]
    router = site.bench.capture
    if not isinstance(router, Lookout):
        return found
    found.append(DiskThereWatch(router, site.lab.router.free_mb))
    if limits.internet:
        found.append(InternetWatch(router, limits.internet))
    for condition, device in sorted(needs):
        if condition == "device":
            found.append(
                DeviceWatch(
                    device,
                    site.profiles[device].mac,
                    router,
                    site.clock,
                    is_off=lambda device=device: is_off(device),  # type: ignore[misc]
                    silent_s=limits.device_silent,
                )
            )
    return found
