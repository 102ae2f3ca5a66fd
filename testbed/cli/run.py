"""`run` and `resume`: campaigns."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from testbed.cli.data import label_whole
from testbed.cli.folders import refuse_inside
from testbed.cli.inside import go_inside, is_inside
from testbed.cli.options import Fast, ScenarioSeed
from testbed.cli.places import OutFolder, Place
from testbed.cli.plan import (
    DEVICES,
    LAB,
    SCENARIOS,
    DevicesFolder,
    LabFile,
    ScenariosFolder,
    absent_of,
    make_plan,
)
from testbed.cli.progress import Progress, say_at_once
from testbed.cli.reading import counted, duration
from testbed.cli.starting import collect_rarely
from testbed.cli.timing import controller_clock, wall_clock
from testbed.clock import SteadyClock, SystemClock, basic_time
from testbed.errors import ConfigError, DriverError, JournalError, LabError
from testbed.model.applock import AppLock, load_lock, lock_beside
from testbed.model.estimate import estimate
from testbed.model.events import Outcome
from testbed.model.lab import Lab
from testbed.model.load import find_scenario, load_scenario
from testbed.model.plan import Plan
from testbed.model.profile import DeviceProfile
from testbed.runner.bench import Bench, open_bench
from testbed.runner.campaigns.campaign import (
    Inputs,
    Means,
    Result,
    close_campaign,
    run_campaign,
)
from testbed.runner.campaigns.folder import (
    INPUTS,
    campaign_name,
    is_complete,
    load_frozen,
    load_inputs,
)
from testbed.runner.journal.fold import fold, left_to_do, plan_of
from testbed.runner.journal.lab_lease import beating, held, leased, let_go, sweep
from testbed.runner.journal.leases import Lease
from testbed.runner.journal.store import Journal, JournalStore, open_store, open_to_read
from testbed.runner.journal.vacancy import taken_by
from testbed.runner.stop import Stop, interruptible
from testbed.runner.trials.site import Settings

FAST_START_NS = 1_767_571_200 * 10**9  # Monday 2026-01-05, midnight UTC
FAST_HOUR_NS = 10 * 3600 * 10**9  # campaigns without habits begin at ten
INTERRUPTED = 130
PACKETS = "packets"
ACTIVITIES = "activities"
_FRESH = "TESTBED_LAB_FRESH"

EvidenceOption = Annotated[
    str, typer.Option("--evidence", help="Pictures of the phone: all, needed or none.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    app.command()(run)
    app.command()(resume)


def run(
    scenario: Annotated[str, typer.Argument(help="Name or file of a scenario.")],
    lab: LabFile = LAB,
    devices: DevicesFolder = DEVICES,
    scenarios: ScenariosFolder = SCENARIOS,
    fast: Fast = False,
    depth: Annotated[
        str, typer.Option("--depth", help="With --fast: packets, or activities alone.")
    ] = PACKETS,
    seed: ScenarioSeed = None,
    out: OutFolder = None,
    evidence: EvidenceOption = "needed",
    campaign: Annotated[
        str | None, typer.Option("--campaign", hidden=True, help="Name, by `serve`.")
    ] = None,
) -> None:
    """Run a scenario from plan to labelled captures."""
    _check_depth(depth, fast)
    the_lab, profiles, plan = make_plan(scenario, lab, devices, scenarios, seed)
    if not plan.trials:
        raise ConfigError(
            f"{scenario}: nobody does anything in it; give it activities to select, or "
            "users with habits"
        )
    read = load_scenario(find_scenario(scenario, scenarios), profiles)
    form = "fast" if fast else "live"
    place = Place.of(the_lab, out)
    _run_inside(the_lab, lab, form, profiles, place)
    for line in absent_of(find_scenario(scenario, scenarios), the_lab, profiles):
        print(f"left out: {line}", flush=True)
    inputs = Inputs(
        campaign=campaign or _new_name(plan),
        form=form,
        simulated=the_lab.virtual is not None,
        lab=the_lab,
        profiles=profiles,
        plan=plan,
        scenario=read.model_dump(mode="json", exclude_defaults=True),
        versions=versions(),
        depth=depth,
        lock=_app_lock(the_lab, lab, form),
    )
    _conduct(inputs, place, _settings(evidence))


def start(inputs: Inputs, lab_file: Path, place: Place, evidence: str) -> None:
    """Run a campaign from its first trial to its labels, inside its lab."""
    settings = _settings(evidence)
    _run_inside(inputs.lab, lab_file, inputs.form, inputs.profiles, place)
    lock = _app_lock(inputs.lab, lab_file, inputs.form)
    _conduct(replace(inputs, lock=lock), place, settings)


def resume(
    campaign: Annotated[str, typer.Argument(help="Name or folder of a campaign.")],
    lab: LabFile = LAB,
    out: OutFolder = None,
    evidence: EvidenceOption = "needed",
) -> None:
    """Go on with a campaign that was interrupted or killed, or gave trials up."""
    place, folder = Place.of_campaign(campaign, lab, out)
    frozen = load_inputs(folder)
    the_lab, profiles = load_frozen(folder)
    form = str(frozen["form"])
    clock = controller_clock()
    with open_store(place.journal, clock) as store:
        state = fold(Journal(store, folder.name).read())
        plan = plan_of(state)
        is_closed = state.closed is not None and is_complete(folder)
        # A closed campaign is opened again for the trials that were given up.
        if is_closed and not left_to_do(state):
            let_go(store, leased(form, folder.name, the_lab.lab), folder.name, clock)
            print(f"{folder.name} is closed already; nothing of it is left to do")
            return
    _run_inside(the_lab, lab, form, profiles, place)
    inputs = Inputs(
        campaign=folder.name,
        form=form,
        simulated=bool(frozen["simulated"]),
        lab=the_lab,
        profiles=profiles,
        plan=plan,
        scenario=frozen.get("scenario", {}),
        versions=versions(),
        depth=str(frozen.get("depth", PACKETS)),
        lock=_app_lock(the_lab, lab, form),
    )
    _conduct(inputs, place, _settings(evidence))


def _app_lock(lab: Lab, lab_file: Path, form: str) -> AppLock | None:
    """Return the app lock beside the lab file; say so when a live phone has none."""
    if form == "fast" or lab.phone is None:
        return None
    path = lock_beside(lab_file)
    lock = load_lock(path)
    if lock is None:
        print(
            f"testbed: no {path}: nobody tells when an app was updated; "
            "`testbed doctor --lock` makes one",
            file=sys.stderr,
        )
        return None
    return lock if lock.lab == lab.lab else None


def _new_name(plan: Plan) -> str:
    return campaign_name(plan.scenario, controller_clock().now_ns())


def versions() -> dict[str, str]:
    """Return the versions that a campaign depends on."""
    found = {}
    for name in ("smarthome-testbed", "androidviewclient", "pywemo", "paramiko"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _settings(evidence: str) -> Settings:
    match evidence:
        case "all" | "needed" | "none":
            return Settings(evidence=evidence)
        case _:
            raise ConfigError(
                f"--evidence: must be all, needed or none, got {evidence!r}"
            )


def _check_depth(depth: str, fast: bool) -> None:
    if depth not in (PACKETS, ACTIVITIES):
        raise ConfigError(f"--depth: must be packets or activities, got {depth!r}")
    if depth == ACTIVITIES and not fast:
        raise ConfigError("--depth activities goes with --fast: a network has packets")


def _run_inside(
    lab: Lab,
    lab_file: Path,
    form: str,
    profiles: Mapping[str, DeviceProfile],
    place: Place,
) -> None:
    """Go on inside the virtual lab, where this lab is one and we are not in it yet."""
    refuse_inside(place.captures)
    if form != "fast":
        if lab.virtual is not None and lab.virtual.twins:
            raise LabError("a twin plays in the fast form alone; add --fast")
        if lab.virtual is not None and not is_inside():
            _require_free(lab, place)
        go_inside(lab, lab_file, profiles, environment=lambda: _made_for(lab))


def _require_free(lab: Lab, place: Place) -> None:
    """Raise LabError when somebody holds the lab, before one is brought up for nothing.

    Only a look: who cannot read the journal will be told so, or refused, inside.
    """
    if not place.has_journal():
        return
    with suppress(JournalError), open_to_read(place.journal, wall_clock()) as store:
        if holder := taken_by(store, lab.lab, wall_clock()):
            raise LabError(
                f"the lab {lab.lab!r} is held by {holder}; wait until it is done, or "
                "end it"
            )


def _made_for(lab: Lab) -> dict[str, str]:
    """Return what a run should know of the lab that is about to be borrowed for it."""
    from testbed.virtual.live.lab import find

    # The ground truth of a lab that is made for this run stays, where nothing of the
    # testbed reads it.
    name = f"{lab.lab}-{basic_time(SystemClock().now_ns())}"
    os.environ.setdefault("TESTBED_TRUTH", str(Path(lab.captures) / ".truth" / name))
    # The devices of a lab that was just made are in their initial state.
    return {_FRESH: "1"} if find(lab) is None else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hold:
    """What a controller has from its first to its last act.

    clock  wakes up with Ctrl-C; `plain`, with the same time, does not
    """

    stop: Stop
    clock: SteadyClock
    plain: SteadyClock
    store: JournalStore
    lease: Lease


def _conduct(inputs: Inputs, place: Place, settings: Settings) -> None:
    """Run what is left of a campaign, label and close it; nobody else may meanwhile."""
    stop = Stop()
    clock = controller_clock(stop.wake)
    plain = controller_clock(like=clock)
    name = leased(inputs.form, inputs.campaign, inputs.lab.lab)
    # Who has the lab is asked before its instruments are: they would only say that
    # something is in use.
    taken = False
    try:
        with (
            open_store(place.journal, plain) as store,
            held(store, name, inputs.campaign, wall_clock()) as lease,
            # All along: to look through all that was captured can take minutes.
            beating(lease),
        ):
            taken = True
            sweep(store, wall_clock())
            hold = _Hold(stop=stop, clock=clock, plain=plain, store=store, lease=lease)
            result = _carry_out(inputs, place, settings, hold)
            _finish(result, place, inputs.depth, store)
    except (LabError, JournalError, OSError, KeyboardInterrupt) as exc:
        # Frozen inputs and a plan are what there is to go on with.
        if taken and (place.captures / inputs.campaign / INPUTS).exists():
            exc.add_note(_goes_on(inputs.campaign, place))
        raise


def _carry_out(inputs: Inputs, place: Place, settings: Settings, hold: _Hold) -> Result:
    """Run what is left of a campaign, with progress and Ctrl-C."""
    stop = hold.stop
    with ExitStack() as stack:
        means = stack.enter_context(_means(inputs, place, settings, hold))
        state = fold(Journal(means.store, inputs.campaign).read())
        left = inputs.plan.trials
        if state.plan is not None:
            left = left_to_do(state)
        plan = replace(inputs.plan, trials=left)
        fast = inputs.form == "fast"
        expected_s = _expected_s(plan, inputs, fast=fast) if left else 0.0
        names = [t.trial for t in left]
        progress = Progress(names, 0.0 if fast else expected_s, SystemClock())
        stack.enter_context(progress)
        length = duration(expected_s) + (" of virtual time" if fast else "")
        progress.say(
            f"{inputs.campaign}: {counted(len(left), 'trial')}, about {length}"
        )
        stack.enter_context(interruptible(stop, SystemClock(), say_at_once))
        try:
            return run_campaign(inputs, means, progress.ended, progress.say)
        except KeyboardInterrupt:
            # Threads may still wait for an instrument; the journal is safe as it is.
            print(_resume_hint(inputs.campaign, place), file=sys.stderr, flush=True)
            os._exit(INTERRUPTED)


def _expected_s(plan: Plan, inputs: Inputs, *, fast: bool) -> float:
    expected = estimate(plan, inputs.profiles)
    # Under a virtual clock nothing overlaps.
    return expected.sequential_s if fast else expected.duration_s


@contextmanager
def _means(
    inputs: Inputs, place: Place, settings: Settings, hold: _Hold
) -> Iterator[Means]:
    with ExitStack() as stack:
        if inputs.form == "fast":
            yield _fast_means(inputs, place, settings, hold, stack)
            return
        try:
            bench = stack.enter_context(open_bench(inputs.lab, hold.plain))
        except DriverError as exc:  # no trial was started
            raise LabError(f"the lab is not ready: {exc}") from exc
        yield Means(
            bench=bench,
            store=hold.store,
            lease=hold.lease,
            clock=hold.clock,
            stop=hold.stop,
            captures=place.captures,
            settings=settings,
            fresh=_FRESH in os.environ,
        )


def _fast_means(
    inputs: Inputs, place: Place, settings: Settings, hold: _Hold, stack: ExitStack
) -> Means:
    from testbed.virtual.fast.lab import open_fast_lab
    from testbed.virtual.fast.recorder import Depth

    collect_rarely()
    truth = os.environ.get("TESTBED_TRUTH")
    folder = Path(truth) if truth else place.captures / ".truth" / inputs.campaign
    lab = stack.enter_context(
        open_fast_lab(
            inputs.lab,
            inputs.profiles,
            seed=inputs.plan.seed,
            truth=folder,
            start_ns=_fast_start_ns(inputs, place),
            depth=Depth(inputs.depth),
        )
    )
    store = stack.enter_context(open_store(place.journal, lab.clock, durable=False))
    hold.lease.fence(store)
    timed = _is_timed(inputs.plan)
    return Means(
        bench=Bench(
            capture=lab.capture_point,
            beacons=lab.beacons,
            phone=lab.phone,
            voice=lab.voice,
            plugs=lab.plugs,
        ),
        store=store,
        lease=hold.lease,
        clock=lab.clock,
        stop=hold.stop,
        captures=place.captures,
        # A quarter of an hour in one file: nothing is won by many small ones.
        settings=replace(settings, threads=False, fetch_every_s=900.0),
        fresh=True,
        # Habits have days of their own; elsewhere each session is another day.
        between=(lambda _: None) if timed else lab.next_session,
    )


def _is_timed(plan: Plan) -> bool:
    return any(t.not_before_s is not None for t in plan.trials)


def _fast_start_ns(inputs: Inputs, place: Place) -> int:
    """Return where virtual time begins: after the last fact of the campaign, if any."""
    with open_store(place.journal, controller_clock()) as store:
        state = fold(Journal(store, inputs.campaign).read())
    if state.plan is not None:
        return state.last_ns + 10**9
    begins_ns = round(inputs.plan.begins_s * 1e9)
    return FAST_START_NS + (begins_ns if _is_timed(inputs.plan) else FAST_HOUR_NS)


def _finish(result: Result, place: Place, depth: str, store: JournalStore) -> None:
    """Label and close, or say how to go on; leave with the right exit code."""
    if result.interrupted:
        print(_resume_hint(result.campaign, place), file=sys.stderr)
        raise typer.Exit(INTERRUPTED)
    if result.no_labels:
        print(f"no labels: {result.no_labels}", file=sys.stderr)
    elif depth == PACKETS:
        label_whole(result.folder)
    # Through the store that is fenced: who was followed meanwhile closes nothing.
    close_campaign(result.folder, Journal(store, result.campaign))
    counts = ", ".join(
        f"{result.count(o)} {o.value}" for o in Outcome if result.count(o)
    )
    print(f"{result.campaign}: {counts}")
    print(f"campaign: {result.folder}")
    # A lab in which nothing happens must not end as if all had gone well.
    if result.n_missed or result.no_labels:
        raise typer.Exit(1)


def _resume_hint(campaign: str, place: Place) -> str:
    return f"testbed: interrupted; {_goes_on(campaign, place)}"


def _goes_on(campaign: str, place: Place) -> str:
    return f"testbed resume {place.captures / campaign} goes on"
