"""The controller itself: the journal, who holds the lab, the disk."""

import shutil
from pathlib import Path

from testbed.errors import JournalError, LabError
from testbed.runner.doctor.findings import Finding, Said, Value, Verdict, trouble
from testbed.runner.doctor.ward import Ward
from testbed.runner.journal.lab_lease import beating
from testbed.runner.journal.leases import Lease, holder_of
from testbed.runner.journal.store import JournalStore, open_store

NAME = "doctor"  # the holder's name while the lab is examined
NO_JOURNAL = "the journal does not say whether a campaign uses it"
_JOURNAL_S = 40.0
_SLOW_COMMIT_S = 0.25  # each trial waits for some ten commits


def open_journal(ward: Ward) -> JournalStore | None:
    """Open the journal and say how it is."""

    def act() -> tuple[Said, JournalStore]:
        store = open_store(ward.journal, ward.clock)
        ward.closing.callback(store.close)
        facts = _facts(ward, store)
        number = facts["campaigns"]
        noun = "campaign" if number == 1 else "campaigns"
        said = f"{facts['kind']}, it opens; {number} {noun} in it"
        return Said(said=said, measured=facts), store

    return ward.examiner.look("here.journal", act, deadline_s=_JOURNAL_S)


def take_lab(ward: Ward, store: JournalStore) -> str:
    """Take the lab for as long as it is looked at; return why not, '' when it is ours.

    The lease is a row that is written and removed again: it shows that the journal
    can be written, and how long a commit takes.
    """
    lease = Lease(store, ward.lab.lab, ward.clock)
    start_s = ward.clock.monotonic_s()
    try:
        lease.acquire(NAME)
    except LabError as exc:
        holder = holder_of(store, ward.lab.lab)
        who = holder.name if holder is not None else "another controller"
        said = Said(
            said=f"the lab is held by {who}",
            verdict=Verdict.BAD,
            measured={"holder": who},
            remedy="wait until that one is done, or end it",
        )
        _note(ward, "here.held", said)
        return str(exc).partition(";")[0]
    except JournalError as exc:
        _note(ward, "here.writable", trouble(exc))
        return NO_JOURNAL
    took_s = ward.clock.monotonic_s() - start_s
    ward.closing.callback(lease.release)
    ward.closing.enter_context(beating(lease))
    slow = took_s > _SLOW_COMMIT_S
    said = Said(
        said=f"one commit takes {took_s * 1000:.0f} ms",
        verdict=Verdict.WARNING if slow else Verdict.OK,
        measured={"commit_ms": round(took_s * 1000, 1)},
        remedy="put the journal on a faster disk" if slow else "",
    )
    _note(ward, "here.writable", said)
    _note(ward, "here.held", Said(said="nobody holds the lab"))
    return ""


def look_at_disk(ward: Ward) -> None:
    """Say whether what is planned has room here."""
    ward.examiner.say("here.disk", lambda: _disk(ward), deadline_s=10.0)


def _disk(ward: Ward) -> Said:
    place = _existing(ward.captures)
    free_mb = shutil.disk_usage(place).free // 10**6
    floor_mb = ward.lab.limits.free_mb
    wanted_mb = ward.expected_b() // 10**6
    measured = {"free_mb": free_mb, "limit_mb": floor_mb, "expected_mb": wanted_mb}
    verdict, remedy = Verdict.OK, ""
    if free_mb < floor_mb:
        verdict = Verdict.BAD
        remedy = "free some space, or lower limits.free_mb in lab.yaml"
    elif free_mb < floor_mb + wanted_mb:
        verdict = Verdict.WARNING
        remedy = "free some space, or run the scenario in parts"
    said = f"{free_mb} MB free at {ward.captures}"
    if wanted_mb:
        said += f", the campaign may take {wanted_mb} MB"
    return Said(said=said, verdict=verdict, measured=measured, remedy=remedy)


def _facts(ward: Ward, store: JournalStore) -> dict[str, Value]:
    kind = "sqlite" if store.file is not None else ward.journal.partition(":")[0]
    return {"kind": kind, "campaigns": len(store.campaigns())}


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def _note(ward: Ward, check: str, said: Said) -> None:
    ward.examiner.note(Finding(check=check, target="", said=said))
