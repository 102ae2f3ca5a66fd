"""Learn the activities of the devices of a campaign.

Each device is learnt from all trials that have a label and from idle windows. When an
answer is `unknown` is learnt from sessions that the estimator has not seen; so are all
figures that are kept with the model.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from analysis.classifiers.model import Classifier, Float64
from analysis.errors import DatasetError
from analysis.evaluate.campaign import plan_of
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
from analysis.models.figures import figures_of
from analysis.models.model import (
    Acceptance,
    DeviceFacts,
    DeviceModel,
    Learnt,
    Origin,
    TrainedModel,
)
from analysis.packets.cleaning import DEFAULT_RULES
from analysis.windows import IDLE_ACTIVITY, Windows

DEFAULT_CLASSIFIER = "random_forest"
MADE_WITH = ("smarthome-testbed", "scikit-learn", "scipy", "numpy", "skops")
_KNOWN_SHARE = 0.95  # of windows of known activities that are to be answered
_FOLDS = 5
_S = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainPlan:
    """How to train. Names are checked by `train_plan_of`.

    n_idle  idle windows per device; None: as many as its commonest activity has trials
    """

    classifier: Classifier
    seed: int = 0
    by: By = By.ACTIVITY
    overlap: Overlap = Overlap.REFUSE
    n_idle: int | None = None
    rules: tuple[str, ...] = DEFAULT_RULES


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
    on_device: Callable[[str], None] = lambda name: None,
) -> TrainedModel:
    """Learn devices of a campaign; the same folder, plan and seed give the same model.

    on_device  told the name of each device before it is learnt

    Raises DatasetError when the folder cannot be read or a device has fewer than two
    activities to tell apart, LabelError when windows overlap.
    """
    recorded = open_recorded(folder)
    made = {}
    names: tuple[str, ...] = ()
    for device in dict.fromkeys(devices):
        on_device(device)
        made[device], names = _learn(recorded, device, plan)
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
        features=names,
        n_sequence=n_columns(),
        versions={name: metadata.version(name) for name in MADE_WITH},
    )


def _data_digest(recorded: Recorded) -> str:
    log = hashlib.sha256(recorded.log.path.read_bytes()).hexdigest()
    held = sorted((each.name, each.digest) for each in recorded.index.captures)
    return hashlib.sha256(json.dumps([log, held]).encode()).hexdigest()


def _learn(
    recorded: Recorded, device: str, plan: TrainPlan
) -> tuple[DeviceModel, tuple[str, ...]]:
    windows = _windows(recorded, device, plan)
    samples = samples_over(recorded.folder, windows, by=plan.by, rules=plan.rules)
    if np.unique(samples.activity).size < 2:
        raise DatasetError(
            f"{recorded.folder}: {device}: has {len(samples)} windows of "
            f"{np.unique(samples.activity).size} activities; two are needed to tell "
            "apart: add idle windows, or leave the device out"
        )
    estimator = plan.classifier.make(plan.seed)
    estimator.fit(samples.inputs(plan.classifier.reads), samples.activity)
    facts = DeviceFacts(
        device=recorded.campaign.device(device),
        classifier=plan.classifier.name,
        settings=plan.classifier.settings,
        reads=plan.classifier.reads,
        activities=tuple(str(name) for name in estimator.classes_),
        delta_s=_delta_s(samples, windows),
        longest_s=longest_of(windows.start_ns, windows.end_ns),
        learnt=_learnt(samples),
        decision=_acceptance(samples, plan),
        scores=figures_of(samples, plan.classifier, plan.seed),
    )
    return DeviceModel(facts=facts, estimator=estimator), samples.names


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


def _learnt(samples: Samples) -> Learnt:
    trials = "\n".join(sorted(samples.trial.tolist()))
    return Learnt(
        trials=dict(sorted(Counter(samples.activity.tolist()).items())),
        n_uncovered=samples.n_uncovered,
        sessions=samples.sessions(),
        days=tuple(str(day) for day in np.unique(samples.day)),
        digest=hashlib.sha256(trials.encode()).hexdigest(),
    )


def _acceptance(samples: Samples, plan: TrainPlan) -> Acceptance:
    best = _held_out(samples, plan).max(axis=1)
    return Acceptance(accept_from=float(np.quantile(best, 1 - _KNOWN_SHARE)))


def _held_out(samples: Samples, plan: TrainPlan) -> Float64:
    """Return the probabilities of each row, of an estimator without its session."""
    from sklearn.model_selection import GroupKFold

    n_sessions = len(samples.sessions())
    folds = GroupKFold(min(_FOLDS, max(2, n_sessions)))
    groups = samples.session if n_sessions > 1 else samples.trial
    found = []
    x = samples.inputs(plan.classifier.reads)
    for train_rows, test_rows in folds.split(samples.x, samples.activity, groups):
        estimator = plan.classifier.make(plan.seed)
        estimator.fit(x[train_rows], samples.activity[train_rows])
        found.append(estimator.predict_proba(x[test_rows]).max(axis=1))
    return np.concatenate(found)[:, None]
