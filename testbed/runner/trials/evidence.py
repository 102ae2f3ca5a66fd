"""Pictures and view trees of the phone, kept beside the record."""

import hashlib
import threading

from testbed.clock import basic_time
from testbed.model.events import EvidenceKept
from testbed.model.plan import PlannedTrial
from testbed.model.steps import Step
from testbed.runner.filing import remove_partial, write_whole
from testbed.runner.trials.arbiter import PHONE
from testbed.runner.trials.site import Site

FOLDER = "evidence"


class EvidenceKeeper:
    """Keeps what the phone shows, as often as the settings ask for."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._turn = threading.Lock()
        self._seen: set[tuple[str, str]] = set()
        remove_partial(site.folder / FOLDER)

    def wanted(self, trial: PlannedTrial, moment: str) -> bool:
        """Say whether evidence is to be kept: 'trigger', 'check' or 'failure'."""
        match self._site.settings.evidence:
            case "none":
                return False
            case "all":
                return True
        if moment == "check":
            with self._turn:
                first = (trial.device, trial.activity) not in self._seen
            overlapping = self._site.settings.threads
            return first or (overlapping and not self._site.arbiter.is_wanted(PHONE))
        return moment == "failure"

    def keep(self, trial: PlannedTrial, attempt: int, moment: str) -> None:
        """Write what the phone shows now; the caller holds the phone.

        Raises DriverError when the phone does not show it, JournalError when it
        cannot be written.
        """
        with self._turn:
            self._seen.add((trial.device, trial.activity))
        shown = self._site.phone.evidence()
        stem = f"{trial.trial}-{attempt}-{moment}"
        name, png = trial.trial, shown.screenshot_png
        self._write(name, attempt, moment, f"{stem}.png", png)
        self._write(name, attempt, moment, f"{stem}.xml", shown.view_tree_xml.encode())

    def keep_app(self, device: str) -> None:
        """Write what the phone shows of a device's app now, as belongs to no trial.

        Raises as `keep` does; the caller holds the phone.
        """
        app = self._site.profiles[device].app
        if app is not None:
            self._site.phone.perform(Step(open_app=app.package))
        shown = self._site.phone.evidence()
        stem = f"app-{device}-{basic_time(self._site.clock.now_ns())}"
        self._write("", 0, "app", f"{stem}.png", shown.screenshot_png)
        self._write("", 0, "app", f"{stem}.xml", shown.view_tree_xml.encode())

    def _write(
        self, trial: str, attempt: int, moment: str, name: str, data: bytes
    ) -> None:
        file = f"{FOLDER}/{name}"
        write_whole(self._site.folder / file, data)
        self._site.journal.write(
            EvidenceKept(
                trial=trial,
                attempt=attempt,
                moment=moment,
                file=file,
                sha256=hashlib.sha256(data).hexdigest(),
            )
        )
