"""Every score of a campaign, by the classifiers and splits of `evaluate`."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.classifiers.model import Classifier
from analysis.evaluate.device_study import DeviceStudy, Packets, StudyPlan, study_device
from analysis.evaluate.fits import Told, nobody_told
from analysis.evaluate.patterns.payloads import NAME as PAYLOAD
from analysis.evaluate.patterns.payloads import payloads_in
from analysis.evaluate.samples import samples_in
from analysis.evaluate.splits.named import SPLITS
from analysis.evaluate.study import Refusal, Result, parted
from analysis.payload import Captures
from analysis.report import words
from analysis.report.recording import Share

# the one to believe first; the pictures are of the first that some device allows
BELIEVED = ("s2", "s1", "s0_folds")
# fixed before any score is seen: choosing the best by these very trials would flatter
OWN = "fusion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What was scored on the devices of one campaign, and by which classifiers."""

    studies: tuple[DeviceStudy, ...]
    classifiers: tuple[Classifier, ...]

    @property
    def results(self) -> tuple[Result, ...]:
        """Results of the classifiers."""
        found = (r for study in self.studies for r in study.results)
        return tuple(r for r in found if r.classifier != PAYLOAD)

    @property
    def payload(self) -> tuple[Result, ...]:
        """Results of the payload matcher."""
        found = (r for study in self.studies for r in study.results)
        return tuple(r for r in found if r.classifier == PAYLOAD)

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Splits that were refused, device by device."""
        return tuple(r for study in self.studies for r in study.refusals)

    @property
    def devices(self) -> tuple[str, ...]:
        """Devices with any result."""
        return tuple(dict.fromkeys(r.device for r in self.results))

    @property
    def titles(self) -> dict[str, str]:
        """Classifier -> its title."""
        return {c.name: c.title for c in self.classifiers}

    def of(self, device: str, split: str, classifier: str) -> Result | None:
        """Return one result, or None when the split was refused."""
        for r in self.results:
            if (r.device, r.split.name, r.classifier) == (device, split, classifier):
                return r
        return None

    def under(self, split: str) -> tuple[Result, ...]:
        """Return the results of one split."""
        return tuple(r for r in self.results if r.split.name == split)

    def headline_split(self) -> str | None:
        """Return the most honest split that some device allows, None without any."""
        found = {r.split.name for r in self.results}
        return next((name for name in BELIEVED if name in found), None)

    def shown(self) -> Classifier:
        """Return whose confusions are drawn: ours, or the first that was asked for."""
        return next((c for c in self.classifiers if c.name == OWN), self.classifiers[0])

    def headline(self) -> tuple[str, str] | None:
        """Return the mean macro-F1 under the headline split, and what it is of."""
        split = self.headline_split()
        if split is None:
            return None
        shown = self.shown()
        mine = [r.f1 for r in self.under(split) if r.classifier == shown.name]
        what = f"{split.split('_')[0].upper()}, {shown.title}: mean macro-F1"
        if SPLITS[split].leaky:
            what += ", leaky"
        if len(self.devices) > len(mine):
            what += f"; {len(mine)} of {len(self.devices)} devices"
        return words.score(float(np.mean(mine))), what


def measure(
    shares: Sequence[Share],
    plan: StudyPlan,
    say: Callable[[str], None],
    *,
    plain: Collection[str] = (),
    captures: Captures | str = "",
    told: Told = nobody_told,
) -> Scores:
    """Learn and test every classifier of the plan on every device with windows.

    plain     devices that may speak in plain text: their payloads are matched too
    captures  what they are matched in, or why there is nothing
    """
    studies = []
    for share in shares:
        if not len(share.cut.windows):
            continue
        say(f"  learning from {share.device}, {len(share.cut.windows)} trials")
        samples = samples_in(share.cut)
        extra: tuple[tuple[Result, ...], tuple[Refusal, ...]] = (), ()
        if plan.with_payload and share.device in plain:
            extra = payloads_in(captures, share.cut, samples, plan.splits, plan.seed)
        studies.append(
            study_device(
                samples,
                parted(samples, plan.splits, plan.seed),
                plan,
                Packets(n=len(share.table), removed=share.cut.cleaned.removed),
                extra=extra,
                told=told,
            )
        )
    return Scores(studies=tuple(studies), classifiers=plan.classifiers)
