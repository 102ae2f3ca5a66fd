"""`lab learn --out`: a virtual device of what was recorded of one."""

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.reading import counted
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.twins import LearntTwin

_DRAFT = ".draft"


def learn_lab(
    source: Path, device: str | None, out: Path, activities: Collection[str] = ()
) -> None:
    """Learn a twin of a device and write a lab around it, whole or not at all.

    Raises ConfigError when `out` is there already or the device has to be named.
    """
    if out.exists() or out.is_symlink():
        raise ConfigError(f"{out}: is there already; remove it, or name another")
    folder = campaign_in(source)
    name = device or _only_device(folder)
    learnt = learnt_of(folder, name, activities=activities or None)
    twin_of = write_twin(learnt, out)
    trials = counted(len(learnt.trials.shapes), "trial")
    number = len(learnt.activities)
    print(
        f"{out}: {twin_of}, learnt from {trials} of {name}, activities: {number}; try:"
    )
    print(f"  cd {out} && testbed run {twin_of} --fast")


def learnt_of(
    folder: Path,
    device: str,
    *,
    trials: Collection[str] | None = None,
    activities: Collection[str] | None = None,
) -> "LearntTwin":
    """Return what is learnt of a device, from all trials or only from these."""
    from analysis.twins import learn_twin

    return learn_twin(folder, device, trials=trials, activities=activities)


def write_twin(learnt: "LearntTwin", out: Path) -> str:
    """Write the twin and its lab as the new folder `out`; return the twin's name."""
    from analysis.twins import save_twin
    from testbed.virtual.twin.lab_files import FOLDER, write_lab
    from testbed.virtual.twin.read import load_twin, twin_name

    name = twin_name(learnt.device)
    draft = out.with_name(out.name + _DRAFT)
    shutil.rmtree(draft, ignore_errors=True)  # of somebody who was killed
    try:
        (draft / FOLDER).mkdir(parents=True)
        save_twin(learnt, draft / FOLDER / name)
        write_lab(load_twin(draft / FOLDER / f"{name}.json"), draft)
        draft.rename(out)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return name


def campaign_in(source: Path) -> Path:
    """Return the campaign folder that is meant: itself, or the only one of a dataset.

    Raises ConfigError when a dataset holds several.
    """
    if (source / "campaign.yaml").exists():
        return source
    found = sorted((source / "data" / "campaigns").glob("*/campaign.yaml"))
    if len(found) > 1:
        names = ", ".join(path.parent.name for path in found)
        raise ConfigError(
            f"{source}: holds several campaigns; name one of {source}/data/campaigns: "
            f"{names}"
        )
    return found[0].parent if found else source


def _only_device(folder: Path) -> str:
    from analysis.dataset import load_campaign

    names = [device.name for device in load_campaign(folder).devices]
    if len(names) != 1:
        known = ", ".join(names)
        raise ConfigError(
            f"{folder}: has several devices; name one by --device: {known}"
        )
    return names[0]
