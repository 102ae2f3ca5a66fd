"""Is the lab ready for a plan? Asked before anything is touched.

Whatever is missing raises LabError (or JournalError, for the disk) with the remedy.
"""

import shutil
from pathlib import Path

from testbed.errors import DriverError, JournalError, LabError
from testbed.model.lab import Lab
from testbed.model.plan import Plan, PlannedTrial
from testbed.model.types import Channel
from testbed.runner.trials.site import Site


def check_instruments(site: Site, trials: tuple[PlannedTrial, ...]) -> None:
    """Raise LabError unless the lab has every instrument that the trials need."""
    for device, activity, channel in sorted(
        {(t.device, t.activity, t.channel) for t in trials}
    ):
        if device not in site.profiles:
            raise LabError(f"the plan needs a profile of {device}; add it to devices/")
        check = site.profiles[device].activities[activity].check_for(channel)
        if channel is Channel.VOICE:
            _ = site.voice
        if channel is Channel.PHONE or (check is not None and check.see is not None):
            _ = site.phone
        if channel in (Channel.POWER, Channel.API):
            site.plug(device, channel)
        if check is not None and (check.power or check.power_w):
            site.plug(device, channel)


def check_space(folder: Path, lab: Lab) -> None:
    """Raise JournalError when less is free at `folder` than the lab's limit."""
    free_mb = shutil.disk_usage(folder).free // 10**6
    if free_mb < lab.limits.free_mb:
        raise JournalError(
            f"only {free_mb} MB are free at {folder} and limits.free_mb asks for "
            f"{lab.limits.free_mb}; free some space"
        )


def app_versions(site: Site, plan: Plan) -> dict[str, str]:
    """Ask the phone which version of each app is installed; device -> version."""
    versions: dict[str, str] = {}
    if site.bench.phone is None:
        return versions
    for device in sorted({t.device for t in plan.trials}):
        app = site.profiles[device].app
        if app is not None:
            try:
                versions[device] = site.bench.phone.app_version(app.package)
            except DriverError as exc:
                raise LabError(f"the phone is not ready: {exc}") from exc
    return versions


def render_sentences(site: Site, plan: Plan) -> None:
    """Render all that will be said, so that no trial waits for a speech service."""
    sentences = set()
    for trial in plan.trials:
        if trial.channel is Channel.VOICE:
            voice = site.profiles[trial.device].activities[trial.activity].voice
            sentences |= {voice.say} if voice is not None else set()
    for sentence in sorted(sentences):
        try:
            site.voice.render(sentence)
        except DriverError as exc:
            raise LabError(f"the loudspeaker is not ready: {exc}") from exc
