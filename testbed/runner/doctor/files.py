"""The files of a lab: whether they are valid, and what they say together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import ConfigError
from testbed.model.applock import AppLock, load_lock, lock_beside
from testbed.model.lab import Lab
from testbed.model.load import Checked, check_all, find_scenario, load_scenario
from testbed.model.plan import Plan
from testbed.model.profile import DeviceProfile
from testbed.model.source import Fault, FaultyFilesError
from testbed.model.unroll import unroll
from testbed.model.wired import Wired, left_out
from testbed.runner.bench import expanded
from testbed.runner.doctor.findings import Examiner, Said, Verdict

_READ_S = 30.0
_SHOWN = 3  # faults that are told; `testbed check` lists all


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What was read, as far as it is valid."""

    lab: Lab | None
    profiles: dict[str, DeviceProfile]
    plan: Plan | None
    lock: AppLock | None


def look_at_files(
    examiner: Examiner, lab_file: Path, devices: Path, scenarios: Path, scenario: str
) -> Files:
    """Read every file; scenario '' means that none was named."""
    checked = check_all(lab_file, devices, scenarios)
    apart: dict[str, list[Fault]] = {"lab": [], "devices": [], "scenarios": []}
    for fault in checked.faults:
        apart[_kind(Path(fault.file), lab_file, devices)].append(fault)
    counts = {
        "lab": int(checked.lab is not None),
        "devices": len(checked.profiles),
        "scenarios": len(checked.scenarios),
    }
    for kind, faults in apart.items():
        _say(examiner, f"files.{kind}", _judged(kind, counts[kind], faults))
    lab = None if apart["lab"] else checked.lab
    if lab is not None:
        variables = lab
        examiner.say("files.variables", lambda: _expanded(variables), deadline_s=5.0)
    plan = _plan(examiner, checked, lab, scenario, scenarios)
    lock = _lock(examiner, lock_beside(lab_file), lab)
    return Files(lab=lab, profiles=checked.profiles, plan=plan, lock=lock)


def _kind(file: Path, lab_file: Path, devices: Path) -> str:
    if file == lab_file:
        return "lab"
    return "devices" if file == devices or devices in file.parents else "scenarios"


def _judged(kind: str, n: int, faults: Sequence[Fault]) -> Said:
    if not faults:
        what = "valid" if kind == "lab" else f"{n} valid"
        return Said(said=what, measured={"valid": n, "faults": 0})
    told = [f"{f.file}: {f}" for f in faults[:_SHOWN]]
    more = f" and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    return Said(
        said=f"{'; '.join(told)}{more}",
        verdict=Verdict.BAD,
        measured={"valid": n, "faults": len(faults)},
        remedy="`testbed check` lists every fault",
    )


def _expanded(lab: Lab) -> Said:
    """Replace each ${VAR}; raises ConfigError for one that is not set."""
    sections = [s for s in (lab.router, lab.phone, lab.voice) if s is not None]
    for section in (*sections, *lab.plugs.values()):
        expanded(section)
    return Said(said="all variables of the lab file are set")


def _plan(
    examiner: Examiner,
    checked: Checked,
    lab: Lab | None,
    scenario: str,
    scenarios: Path,
) -> Plan | None:
    if not scenario:
        return None

    def made() -> tuple[Said, Plan]:
        path = find_scenario(scenario, scenarios)
        loaded = load_scenario(path, checked.profiles)
        wired = Wired.of(lab)
        plan = unroll(loaded, checked.profiles, wired)
        absent = left_out(loaded, checked.profiles, wired) if lab is not None else ()
        return _planned(plan, absent), plan

    return examiner.look("files.plan", made, deadline_s=_READ_S, target=scenario)


def _planned(plan: Plan, absent: Sequence[str]) -> Said:
    n_trials = len(plan.trials)
    said = f"{n_trials} trials of {len({t.device for t in plan.trials})} devices"
    if not absent:
        return Said(said=said, measured={"trials": n_trials})
    return Said(
        said=f"{said}; left out: {'; '.join(absent)}",
        verdict=Verdict.WARNING,
        measured={"trials": n_trials, "left_out": list(absent)},
        remedy="name the plug in the lab file, or take these out of the scenario",
    )


def _lock(examiner: Examiner, path: Path, lab: Lab | None) -> AppLock | None:
    try:
        lock = load_lock(path)
    except FaultyFilesError as exc:
        _say(examiner, "files.lock", _judged("lock", 0, exc.faults))
        return None
    except ConfigError as exc:
        bad = Said(said=str(exc), verdict=Verdict.BAD, remedy="make it anew: --lock")
        _say(examiner, "files.lock", bad)
        return None
    if lock is not None and lab is not None and lock.lab != lab.lab:
        other = Said(
            said=f"{path.name} is of the lab {lock.lab!r} and not looked at",
            verdict=Verdict.WARNING,
            remedy="`testbed doctor --lock` makes one for this lab",
        )
        _say(examiner, "files.lock", other)
        return None
    if lock is not None:
        said = f"{path.name} of {lock.made}, {len(lock.devices)} devices"
        _say(examiner, "files.lock", Said(said=said, measured={"made": lock.made}))
    return lock


def _say(examiner: Examiner, check: str, said: Said) -> None:
    examiner.say(check, lambda: said, deadline_s=_READ_S)
