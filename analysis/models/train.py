"""Learn the activities of the devices of a campaign.

Each device is learnt from all trials that have a label and from idle windows. When an
answer is `unknown` is learnt from sessions that the estimator has not seen; so are all
figures that are kept with the model.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np

from analysis.classifiers.model import Classifier
from analysis.classifiers.novelty import Novelty
from analysis.errors import DatasetError
from analysis.evaluate.campaign import plan_of
from analysis.evaluate.delta.alike import alike, n_too_close
from analysis.evaluate.fits import Progress, Told, learnt, nobody_told
from analysis.evaluate.samples import (
    By,
    Recorded,
    Samples,
    open_recorded,
    samples_over,
    windows_of,
)
from analysis.features.matrix import longest_of
from analysis.features.sequence import n_columns
from analysis.labelling import Overlap
from analysis.models.answers import rule_of, strange, tried
from analysis.models.figures import figures_of, scored
from analysis.models.model import (
    DeviceFacts,
    DeviceModel,
    Learnt,
    Origin,
    TrainedModel,
)
from analysis.packets.cleaning import DEFAULT_RULES
from analysis.windows import IDLE_ACTIVITY, Windows

DEFAULT_CLASSIFIER = "fusion"
MADE_WITH = ("smarthome-testbed", "scikit-learn", "scipy", "numpy", "skops")
_S = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainPlan:
    """How to train. Names are checked by `train_plan_of`.

    n_idle    idle windows; None: as many as the commonest activity has trials
    window_s  one length for all windows of a device, 0 for its longest; None for each
              activity's own
    """

    classifier: Classifier
    seed: int = 0
    by: By = By.ACTIVITY
    overlap: Overlap = Overlap.REFUSE
    n_idle: int | None = None
    rules: tuple[str, ...] = DEFAULT_RULES
    window_s: float | None = None


def train_plan_of(classifier: str = DEFAULT_CLASSIFIER, **options: object) -> TrainPlan:
    """Return a plan with the classifier of that name; `options` are its other fields.

    Raises RequestError with the nearest name for one that does not exist.
    """
    found = plan_of((classifier,)).classifiers
    if not found:
        raise DatasetError(f"{classifier!r} cannot be kept as a model")
    return TrainPlan(classifier=found[0], **options)  # type: ignore[arg-type]


def train(
    folder: Path,
    devices: Sequence[str],
    plan: TrainPlan,
    *,
    told: Told = nobody_told,
    jobs: int = 1,
) -> TrainedModel:
    """Learn devices of a campaign; the same folder, plan and seed give the same model.

    told  told (what is done, how much of it, of how much) after each fit of a device
    jobs  processes that share the fits, where these are worth more than one

    Raises DatasetError when the folder cannot be read or a device has fewer than two
    activities to tell apart, LabelError when windows overlap.
    """
    recorded = open_recorded(folder)
    made = {}
    names: tuple[str, ...] = ()
    for device in dict.fromkeys(devices):
        progress = partial(told, f"{device}: training")
        made[device], names = _learn(
            recorded, device, plan, jobs=jobs, progress=progress
        )
    return TrainedModel(origin=_origin(recorded, plan, names), devices=made)


def _origin(recorded: Recorded, plan: TrainPlan, names: tuple[str, ...]) -> Origin:
    campaign = recorded.campaign
    return Origin(
        campaign=campaign.name,
        simulated=campaign.simulated,
        form=campaign.form,
        data_digest=_data_digest(recorded),
        seed=plan.seed,
        idle=plan.n_idle,
        by=str(plan.by),
        overlap=str(plan.overlap),
        rules=plan.rules,
        window_s=plan.window_s,
        features=names,
        n_sequence=n_columns(),
        versions={name: metadata.version(name) for name in MADE_WITH},
    )


def _data_digest(recorded: Recorded) -> str:
    log = hashlib.sha256(recorded.log.path.read_bytes()).hexdigest()
    held = sorted((each.name, each.digest) for each in recorded.index.captures)
    return hashlib.sha256(json.dumps([log, held]).encode()).hexdigest()


def _learn(
    recorded: Recorded, device: str, plan: TrainPlan, *, jobs: int, progress: Progress
) -> tuple[DeviceModel, tuple[str, ...]]:
    if plan.window_s is not None:
        recorded = alike(recorded, device, plan.window_s)
    windows = _windows(recorded, device, plan)
    samples = samples_over(recorded.folder, windows, by=plan.by, rules=plan.rules)
    if np.unique(samples.activity).size < 2:
        raise DatasetError(
            f"{recorded.folder}: {device}: has {len(samples)} windows of "
            f"{np.unique(samples.activity).size} activities; two are needed to tell "
            "apart: add idle windows, or leave the device out"
        )
    results, refusals = scored(
        samples, plan.classifier, plan.seed, jobs=jobs, progress=progress
    )
    x = samples.inputs(plan.classifier.reads)
    estimator = learnt(plan.classifier, x, samples.activity, samples.session, plan.seed)
    names = tuple(str(name) for name in estimator.classes_)
    facts = DeviceFacts(
        device=recorded.campaign.device(device),
        classifier=plan.classifier.name,
        settings=plan.classifier.settings,
        reads=plan.classifier.reads,
        activities=names,
        delta_s=_delta_s(samples, windows),
        longest_s=longest_of(windows.start_ns, windows.end_ns),
        learnt=_learnt(samples, n_too_close(recorded, device)),
        tried=tried(samples, results.get("s1"), names),
        strange=strange(results.get("s6")),
        scores=figures_of(results, refusals),
    )
    made = DeviceModel(
        facts=facts,
        estimator=estimator,
        novelty=Novelty.learn(samples.x, samples.activity, names),
        decision=rule_of(samples, results.get("s1"), names),
    )
    return made, samples.names


def _windows(recorded: Recorded, device: str, plan: TrainPlan) -> Windows:
    n_idle = plan.n_idle
    if n_idle is None:
        labelled = windows_of(recorded, device, overlap=plan.overlap)
        n_idle = max(np.unique(labelled.activity, return_counts=True)[1], default=0)
    return windows_of(
        recorded, device, overlap=plan.overlap, n_idle=int(n_idle), seed=plan.seed
    )


def _delta_s(samples: Samples, windows: Windows) -> dict[str, float]:
    length_s = (windows.end_ns - windows.start_ns) / _S
    return {
        str(name): float(np.median(length_s[samples.activity == name]))
        for name in np.unique(samples.activity)
        if name != IDLE_ACTIVITY
    }


def _learnt(samples: Samples, n_too_close: int) -> Learnt:
    trials = "\n".join(sorted(samples.trial.tolist()))
    return Learnt(
        trials=dict(sorted(Counter(samples.activity.tolist()).items())),
        n_uncovered=samples.n_uncovered,
        sessions=samples.sessions(),
        days=tuple(str(day) for day in np.unique(samples.day)),
        digest=hashlib.sha256(trials.encode()).hexdigest(),
        n_too_close=n_too_close,
    )
