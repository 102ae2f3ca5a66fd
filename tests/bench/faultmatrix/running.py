"""Run one case: in the fast form by a script, in the live form by hand."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from testbed.clock import SystemClock, wait_until
from testbed.model.load import load_lab
from testbed.virtual.live import lab as live
from tests.bench.faultmatrix import judging
from tests.bench.faultmatrix.bench import WITHIN_S, Bench, Fact
from tests.bench.faultmatrix.case import FOR_GOOD, Case, Form, Moment, Strike

_POLL_S = 0.02
_DISK_MB = 64
_CLOCK = SystemClock()


@dataclass(slots=True)
class Verdict:
    """What came of a case; complaints are why it is a miss."""

    case: Case
    measured: str = ""
    complaints: list[str] = field(default_factory=list)
    took_s: float = 0.0


def run_case(case: Case, folder: Path, number: int) -> Verdict:
    """Run a case in an empty folder and judge it; raises nothing but bugs."""
    began_s = _CLOCK.monotonic_s()
    folder.mkdir(parents=True)
    lab = f"matrix_{os.getpid()}_{number}"
    bench = Bench(case=case, folder=folder, lab=lab, adb_port=5200 + number)
    verdict = Verdict(case)
    act = _fast if case.form is Form.FAST else _live
    act(bench, verdict)
    if any(verdict.complaints):
        verdict.complaints.append(f"said: {bench.said()}")
    verdict.took_s = _CLOCK.monotonic_s() - began_s
    return verdict


def _judge_end(bench: Bench, exits: Sequence[int], verdict: Verdict) -> None:
    facts, campaign = bench.facts(), bench.campaign()
    verdict.measured = judging.seen(facts)
    verdict.complaints += judging.complaints(bench.case, exits, facts, campaign)


def _judge_labels(bench: Bench, truth: Path, verdict: Verdict) -> None:
    campaign = bench.campaign()
    if campaign is None or not (campaign / "activities.csv").exists():
        verdict.complaints.append("no activity log")
        return
    wrong = judging.wrong_labels(campaign, judging.truth_of(truth))
    verdict.complaints += [f"WRONG LABEL: {one}" for one in wrong]


def _fast(bench: Bench, verdict: Verdict) -> None:
    """Run it once without faults to learn the moments, then with them."""
    case = bench.case
    facts: list[Fact] = []
    if any(s.moment.kind for s in case.strikes):
        facts = _calm_facts(bench)
    bench.write(", ".join(_scripted(s, facts) for s in case.strikes))
    exits = [_finish(bench, "run", "short.yaml", "--fast")]
    for _ in case.exits[1:]:
        exits.append(_finish(bench, "resume", str(bench.campaign())))
    _judge_labels(bench, bench.truth, verdict)
    left = [p for p in (bench.truth / "router").rglob("*") if p.is_file()]
    if left:
        verdict.complaints.append(f"left on the router: {left[0].name}")
    _judge_end(bench, exits, verdict)


def _calm_facts(bench: Bench) -> list[Fact]:
    """Return the facts of the same campaign without faults; it is run once for all."""
    what = repr((bench.case.devices, bench.case.limits)).encode()
    name = f"calm-{hashlib.sha256(what).hexdigest()[:8]}"
    calm = replace(bench, folder=bench.folder.parent / name)
    calm.folder.mkdir(exist_ok=True)
    with (calm.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not any(f.kind == "campaign_closed" for f in calm.facts()):
            calm.write()
            _finish(calm, "run", "short.yaml", "--fast")
        return calm.facts()


def _scripted(strike: Strike, facts: Sequence[Fact]) -> str:
    moment = strike.moment
    at_s = moment.after_s
    if moment.kind:
        found = [f for f in facts if f.kind == moment.kind]
        at_s += (found[moment.n - 1].at_ns - facts[0].at_ns) / 1e9
    words = [f"kind: {strike.kind}", f"at: {max(0.0, at_s):.3f} s"]
    if strike.lasts_s < FOR_GOOD:
        words.append(f"until: {at_s + strike.lasts_s:.3f} s")
    if strike.target:
        words.append(f"target: {strike.target}")
    if strike.value:
        words.append(f'value: "{strike.value}"')
    return f"{{{', '.join(words)}}}"


def _finish(bench: Bench, *words: str) -> int:
    """Run a command to its end and return its exit code."""
    with bench.command(*words) as process:
        try:
            return process.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            return -1


def _live(bench: Bench, verdict: Verdict) -> None:
    """Run it in a lab of its own, with hands that break things when it is time."""
    full = any(s.kind == "router_disk_full" for s in bench.case.strikes)
    # a capture disk that can be full exists where the lab file scripts that fault
    bench.write("{kind: router_disk_full, at: 1 d}" if full else "")
    lab = load_lab(bench.folder / "lab.yaml")
    state = live.folder(lab.lab)
    with _disk_of_its_own(bench):  # the lab sees what is mounted before it is up
        live.up(lab, bench.folder / "lab.yaml", tied=True)
        try:
            exits = [_with_hands(bench, state, ("run", "short.yaml"))]
            for _ in bench.case.exits[1:]:
                exits.append(_finish(bench, "resume", str(bench.campaign())))
            shutil.copytree(state / "truth", bench.folder / "true")
            _judge_labels(bench, bench.folder / "true", verdict)
            verdict.complaints += [f"left: {one}" for one in _left(state)]
            _judge_end(bench, exits, verdict)
        finally:
            live.down(lab)
            live.down(lab)  # the second time for what the first one leaves to readers


@contextlib.contextmanager
def _disk_of_its_own(bench: Bench) -> Iterator[None]:
    """Put the campaign on a small disk, where the case fills it."""
    if not any(s.kind == "disk_here" for s in bench.case.strikes):
        yield
        return
    bench.out.mkdir()
    where = str(bench.out)
    size = f"size={_DISK_MB}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", where], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", where], check=True)


def _with_hands(bench: Bench, state: Path, words: tuple[str, ...]) -> int:
    over = threading.Event()
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(bench.command(*words))
        hands = [
            threading.Thread(target=_strike, args=(bench, state, strike, over))
            for strike in bench.case.strikes
        ]
        for hand in hands:
            hand.start()
        try:
            return process.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            return -1
        finally:
            over.set()
            for hand in hands:
                hand.join()


def _strike(bench: Bench, state: Path, strike: Strike, over: threading.Event) -> None:
    _await(bench, strike.moment, over)
    if over.is_set():
        return
    begin, end = _deed(bench, state, strike)
    begin()
    over.wait(strike.lasts_s)
    end()


def _await(bench: Bench, moment: Moment, over: threading.Event) -> None:
    def there() -> bool:
        n = sum(f.kind == moment.kind for f in bench.facts())
        return over.is_set() or n >= moment.n

    if moment.kind:
        wait_until(there, clock=_CLOCK, deadline_s=WITHIN_S, poll_s=_POLL_S)
    over.wait(moment.after_s)


def _deed(
    bench: Bench, state: Path, strike: Strike
) -> tuple[Callable[[], object], Callable[[], object]]:
    if strike.kind == "disk_here":
        ballast = bench.out / "ballast"
        return lambda: _fill(ballast, int(strike.value)), ballast.unlink
    name = f"{strike.kind}.{strike.target}" if strike.target else strike.kind
    path = state / "faults" / name

    def begin() -> None:
        draft = path.with_name(f".{name}")
        draft.write_text(strike.value, encoding="utf-8")
        draft.replace(path)  # nobody sees it without its value

    return begin, path.unlink


def _fill(ballast: Path, left_mb: int) -> None:
    """Write until so many megabytes are left."""
    free_b = shutil.disk_usage(ballast.parent).free - left_mb * 10**6
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        file.write(bytes(max(0, free_b)))


def _left(state: Path) -> list[str]:
    """Return what a finished campaign left on the router: processes and captures."""
    captures = state / "router" / "captures"
    found = [
        str(path.relative_to(captures))
        for path in captures.rglob("*")
        if path.is_file() and path.parent.name in ("live", "done")
    ]
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if str(captures) in words:
                found.append(words[:80])
    return found
