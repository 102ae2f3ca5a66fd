"""`lab learn --out`: a virtual device of what was recorded of one."""

import shlex
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.datasets import find_campaign
from testbed.cli.folders import refuse_unwritable, refuse_without_tables
from testbed.cli.reading import counted
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.twins import Known, LearntTwin, Limits

_DRAFT = ".lab-draft"  # `publish` keeps one of its own beside an `out` of that name
_MOST_NAMED = 8


def learn_lab(
    source: Path, device: str | None, out: Path, activities: Collection[str] = ()
) -> None:
    """Learn a twin of a device and write a lab around it, whole or not at all.

    Raises ConfigError when `out` is there already or the device has to be named.
    """
    if out.exists() or out.is_symlink():
        raise ConfigError(f"{out}: is there already; remove it, or name another")
    refuse_unwritable(out, "--out")
    folder = find_campaign(source).folder
    refuse_without_tables(folder)
    name = device or _only_device(folder)
    learnt = learnt_of(folder, name, activities=activities or None)
    twin_of = write_twin(learnt, out)
    from analysis.twins import limits_of

    print("\n".join(told(learnt, limits_of(folder, learnt), out, twin_of)))


def told(learnt: "LearntTwin", limits: "Limits", out: Path, name: str) -> list[str]:
    """Return what is said of a new twin: what it knows, what not, and how to run it."""
    from analysis.dissection import printable

    trials = counted(len(learnt.trials.shapes), "trial")
    kind = "simulated" if learnt.source.get("simulated") else "real"
    file = (out / "twins" / f"{name}.json").absolute()
    lines = [
        f"{out}: {name}, learnt from {trials} of {learnt.device} ({kind}), activities: "
        f"{len(learnt.activities)}",
        *(_of_activity(each) for each in limits.activities if each.n_learnt),
        *_not_learnt(limits),
        *_few(limits),
        f"twin: {file}",
        "run a campaign with it (simulated, fast form):",
        f"  cd {shlex.quote(str(out))} && testbed run {name} --fast",
    ]
    return [printable(line) for line in lines]


def _of_activity(each: "Known") -> str:
    trials = counted(each.n_recorded, "trial")
    if each.n_learnt != each.n_recorded:
        trials = f"{each.n_learnt} of {trials}"
    sessions = counted(each.n_sessions, "session")
    ways = f"; one mixture of {', '.join(each.ways)}" if each.ways else ""
    return f"  {each.activity}: {trials}, {sessions}{ways}"


def _not_learnt(limits: "Limits") -> list[str]:
    what = "what was plain text in packets" if limits.plaintext else "what packets say"
    lines = [
        f"not learnt: {what} (random bytes instead), states (a twin is always on), "
        "answers to others, what other devices do"
    ]
    if left := _named(limits.left_out()):
        lines.insert(
            0,
            f"not learnt: {left}: their trials have no packet, overlap others, or were "
            "not asked for",
        )
    if not limits.idle_s:
        lines.append("not learnt: what is sent between trials; that was not recorded")
    return lines


def _few(limits: "Limits") -> list[str]:
    from analysis.twins import MEASURED_WITH

    few = limits.few()
    if not few:
        return []
    return [
        f"warning: few trials of {_named(few)}: figures of twins were measured with at "
        f"least {MEASURED_WITH} of each; of fewer, a twin hardly differs from what it "
        "was learnt from"
    ]


def _named(activities: "Sequence[Known]") -> str:
    """Return names with numbers of trials, not all of many."""
    said = [
        f"{each.activity} ({each.n_learnt or each.n_recorded})" for each in activities
    ]
    more = [f"{len(said) - _MOST_NAMED} more"] if len(said) > _MOST_NAMED else []
    return ", ".join([*said[:_MOST_NAMED], *more])


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
    draft = out.with_name(f".{out.name}{_DRAFT}")
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


def _only_device(folder: Path) -> str:
    from analysis.dataset import load_campaign

    names = [device.name for device in load_campaign(folder).devices]
    if len(names) != 1:
        known = ", ".join(names)
        raise ConfigError(
            f"{folder}: has several devices; name one by --device: {known}"
        )
    return names[0]
