"""`rerun`: a campaign, published or not, once more in this lab."""

import json
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from testbed.cli.datasets import FORMS, Found, find_campaign
from testbed.cli.folders import refuse_unwritable
from testbed.cli.inside import is_inside
from testbed.cli.options import Fast
from testbed.cli.places import OutFolder, Place
from testbed.cli.plan import DEVICES, LAB, DevicesFolder, LabFile, require_drivers
from testbed.cli.reading import counted
from testbed.cli.run import EvidenceOption, start, versions
from testbed.cli.timing import controller_clock
from testbed.errors import ConfigError, JournalError
from testbed.model.adopt import Adopted, adopt
from testbed.model.lab import Lab
from testbed.model.load import load_lab, load_profiles
from testbed.model.plan import Plan
from testbed.model.profile import DeviceProfile
from testbed.model.scenario import Scenario
from testbed.model.unroll import unroll
from testbed.model.wired import Wired
from testbed.runner.campaigns.campaign import Inputs
from testbed.runner.campaigns.folder import (
    INPUTS,
    JOURNAL,
    campaign_name,
    is_complete,
    load_inputs,
)
from testbed.runner.journal.event_text import plan_from

Where = Annotated[
    Path,
    typer.Argument(
        metavar="DATASET_OR_CAMPAIGN",
        help="A dataset that was published, or the folder of a campaign.",
        readable=False,  # what cannot be read is told in our words
    ),
]
Which = Annotated[
    str | None,
    typer.Option("--campaign", help="Which one, where the dataset holds several."),
]
NewSeed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        min=0,
        help="Another order of trials and other draws; by default those of the "
        "campaign, trial by trial.",
    ),
]
Dry = Annotated[
    bool, typer.Option("--check", help="Tell what differs and what cannot be; no run.")
]
NewName = Annotated[
    str | None, typer.Option("--name", help="Of the new campaign; made by default.")
]


def register(app: typer.Typer) -> None:
    """Add the command of this topic."""
    app.command()(rerun)


def rerun(
    where: Where,
    campaign: Which = None,
    lab: LabFile = LAB,
    devices: DevicesFolder = DEVICES,
    fast: Fast = False,
    seed: NewSeed = None,
    out: OutFolder = None,
    name: NewName = None,
    evidence: EvidenceOption = "needed",
    check: Dry = False,
) -> None:
    """Run a campaign again: its scenario, order, seed and δ, in this lab.

    Activities are those of the campaign; addresses and copies of devices are those of
    the lab file and the device profiles here. What differs is told, a line each.
    """
    found = _found(where, campaign, out)
    past = _past(found)
    the_lab, ours = load_lab(lab), load_profiles(devices)
    require_drivers(the_lab, lab)
    adopted = adopt(past.profiles, ours, past.plan.trials, the_lab)
    _refuse(found, adopted)
    plan = past.plan if seed is None else past.drawn_again(seed)
    _tell((*_differences(past, the_lab, adopted), *_too_few(plan)))
    if check:
        n = counted(len(plan.trials), "trial")
        print(f"{past.name}: {n}, seed {plan.seed}: can be run in lab {the_lab.lab}")
        return
    place = Place.of(the_lab, out)
    new = name or campaign_name(plan.scenario, controller_clock().now_ns())
    _require_new(place, new)
    inputs = Inputs(
        campaign=new,
        form="fast" if fast else "live",
        simulated=the_lab.virtual is not None,
        lab=the_lab,
        # all of this lab: devices that do nothing are there too
        profiles={**ours, **adopted.profiles},
        plan=plan,
        scenario=past.scenario | {"seed": plan.seed},
        versions=versions(),
        rerun_of=_record(found, past, plan),
    )
    start(inputs, lab, place, evidence)


def _found(where: Path, campaign: str | None, out: Path | None) -> Found:
    """Return the campaign that is meant. Raises ConfigError, for `out` as well."""
    if out is not None:
        refuse_unwritable(out, "--out")
    return find_campaign(where, campaign)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """A campaign as it was run.

    frozen  what campaign.yaml holds;  plan  as it was drawn then
    """

    name: str
    frozen: Mapping[str, Any]
    scenario: dict[str, Any]
    profiles: Mapping[str, DeviceProfile]
    plan: Plan

    def drawn_again(self, seed: int) -> Plan:
        """Return the plan of the scenario with another seed; raises ConfigError."""
        made = _unrolled(self.frozen, self.profiles, seed)
        if made is None:
            reason = "its scenario is not among its inputs, so no other seed can be had"
            raise ConfigError(f"{self.name}: {reason}; leave --seed out")
        return made


def _past(found: Found) -> _Past:
    """Read how a campaign was run. Raises ConfigError."""
    frozen = load_inputs(found.folder)
    name = str(frozen["campaign"])
    if frozen.get("form") not in FORMS:
        raise ConfigError(f"{name}: was imported; there is nothing of it to run")
    profiles = _profiles(name, frozen.get("profiles"))
    seed = frozen.get("seed")
    plan = _journalled(found.folder)
    if plan is None and isinstance(seed, int):
        plan = _unrolled(frozen, profiles, seed)
    if plan is None or not plan.trials:
        reason = (
            "neither its journal nor its inputs hold a plan; there is nothing to run"
        )
        raise ConfigError(f"{name}: {reason}")
    scenario = frozen.get("scenario")
    return _Past(
        name=name,
        frozen=frozen,
        scenario=dict(scenario) if isinstance(scenario, dict) else {},
        profiles=profiles,
        plan=plan,
    )


def _profiles(name: str, held: Any) -> dict[str, DeviceProfile]:
    if not isinstance(held, dict):
        raise ConfigError(f"{name}: campaign.yaml holds no profiles")
    made = {}
    for device, values in held.items():
        try:
            made[str(device)] = DeviceProfile.model_validate(values)
        except ValidationError as exc:
            reason = "is not a profile as this version knows them"
            raise ConfigError(
                f"{name}: campaign.yaml: profiles.{device}: {reason}; use the version "
                "that wrote it"
            ) from exc
    return made


def _journalled(folder: Path) -> Plan | None:
    """Return the plan that a campaign began with, None where no journal tells."""
    try:
        with (folder / JOURNAL).open(encoding="utf-8") as file:
            for line in file:
                fact = json.loads(line)
                if fact["event"] == "campaign_planned":
                    return plan_from(fact["facts"]["plan_json"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, JournalError) as exc:
        raise ConfigError(f"{folder / JOURNAL}: is damaged: its plan is lost") from exc
    return None


def _unrolled(
    frozen: Mapping[str, Any], profiles: Mapping[str, DeviceProfile], seed: int
) -> Plan | None:
    """Draw the plan of the frozen scenario; None where it tells none."""
    try:
        read = Scenario.model_validate(frozen.get("scenario"))
    except ValidationError:
        return None
    kept = tuple(each for each in read.select if each.device in profiles)
    whole = tuple(device for device in read.devices if device in profiles)
    scenario = read.model_copy(update={"seed": seed, "select": kept, "devices": whole})
    return unroll(scenario, profiles, _wired(frozen.get("lab")))


def _wired(lab: Any) -> Wired:
    """Return what the plugs of the lab served then; who they are was not published."""
    plugs = lab.get("plugs") if isinstance(lab, dict) else None
    held = list(plugs.values()) if isinstance(plugs, dict) else []
    return Wired(
        fed=frozenset(p["feeds"] for p in held if p.get("feeds")),
        plugs=frozenset(p["is_device"] for p in held if p.get("is_device")),
    )


def _refuse(found: Found, adopted: Adopted) -> None:
    """Raise ConfigError with every sentence of what cannot be run."""
    if adopted.refusals:
        for line in adopted.refusals:
            print(f"testbed: {line}", file=sys.stderr)
        n = counted(len(adopted.refusals), "thing")
        raise ConfigError(f"{found.folder.name}: {n} of it cannot be run in this lab")


def _differences(past: _Past, lab: Lab, adopted: Adopted) -> Iterator[str]:
    for line in (*_lab_differs(past.frozen, lab), *adopted.differences):
        yield f"differs: {line}"


def _tell(lines: Iterable[str]) -> None:
    if not is_inside():  # else it was told outside
        for line in lines:
            print(line, flush=True)


def _too_few(plan: Plan) -> Iterator[str]:
    """Say beforehand where no comparison will be able to tell anything."""
    from analysis.compare.exchange import LEAST_UNITS

    n = len({trial.session for trial in plan.trials})
    if n < LEAST_UNITS:
        yield (
            f"remark: {counted(n, 'session')}: compare cannot tell drift from another "
            f"day with fewer than {LEAST_UNITS} days of each campaign"
        )


def _require_new(place: Place, name: str) -> None:
    """Raise ConfigError where a campaign of that name is there, done or not."""
    folder = place.captures / name
    if not folder.exists() or is_inside():
        return
    unfinished = (folder / INPUTS).is_file() and not is_complete(folder)
    remedy = "name another with --name"
    if unfinished:
        how = f"`testbed resume {shlex.quote(str(folder))}` goes on"
        remedy = f"it is not finished: {how}, or {remedy}"
    raise ConfigError(f"{folder}: is there already; {remedy}")


def _lab_differs(frozen: Mapping[str, Any], lab: Lab) -> Iterator[str]:
    """Yield what is another in this lab, of what is published of one."""
    held = frozen.get("lab")
    then = held if isinstance(held, dict) else {}
    now = lab.model_dump(mode="json", exclude_none=True)
    was_virtual, is_virtual = "virtual" in then, "virtual" in now
    if was_virtual != is_virtual:
        kinds = {True: "a virtual lab", False: "a real one"}
        yield f"lab: this is {kinds[is_virtual]}, that was {kinds[was_virtual]}"
    for part, keys in (
        ("virtual", ("seed", "wan_delay", "wan_loss", "faults")),
        ("router", ("tool", "point", "filter")),
    ):
        one, two = then.get(part) or {}, now.get(part) or {}
        for key in keys:
            if one and two and one.get(key) != two.get(key):
                yield f"lab: {part}.{key} is {two.get(key)} here, was {one.get(key)}"


def _record(found: Found, past: _Past, plan: Plan) -> dict[str, Any]:
    """Return what campaign.yaml says of where this campaign comes from."""
    return {
        "campaign": past.name,
        "form": past.frozen.get("form"),
        "seed": past.plan.seed,
        "kind": "dataset" if found.dataset is not None else "campaign",
        "manifest_sha256": found.digest,
        "same_plan": plan is past.plan,
    }
