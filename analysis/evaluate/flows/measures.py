"""Figures of a flow detector, flow by flow, against the causes that are known.

The macro-averaged area under the precision-recall curve is the mean over attacks, each
against all benign flows. What the abstract of CADeSH averages over is not said; the
mean over the two classes, benign and malicious, stands beside it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BENIGN = "benign"
_WEEK_S = 7 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What came of the flows of one home.

    auprc, recall, flows   by attack: average precision against all benign flows, share
                           that raised an alarm, number
    macro_auprc            mean over attacks; macro_auprc_classes over the two classes
    alarms_a_week          false ones
    """

    auprc: Mapping[str, float]
    recall: Mapping[str, float]
    flows: Mapping[str, int]
    benign: int
    macro_auprc: float
    macro_auprc_classes: float
    precision: float
    recall_all: float
    f1: float
    fpr: float
    precision_1_percent: float
    precision_01_percent: float
    alarms_a_week: float

    def record(self) -> dict[str, Any]:
        """Return the figures for JSON; NaN, where there was no attack, is null."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def measure(
    score: NDArray[np.float64],
    alarm: NDArray[np.bool_],
    cause: NDArray[Any],
    *,
    lasts_s: float,
) -> Measures:
    """Return the figures of (n,) flows; flows without a known cause are left out.

    lasts_s  how long the home was looked at
    """
    benign = cause == BENIGN
    attacks = sorted({str(c) for c in np.unique(cause)} - {BENIGN, ""})
    bad = np.isin(cause, attacks)
    auprc = {a: _precision(score, cause == a, benign) for a in attacks}
    recall = {a: float(alarm[cause == a].mean()) for a in attacks}
    hits, false = int(alarm[bad].sum()), int(alarm[benign].sum())
    recall_all = hits / bad.sum() if bad.any() else float("nan")
    fpr = false / benign.sum() if benign.any() else float("nan")
    both = (_precision(score, bad, benign), _precision(-score, benign, bad))
    return Measures(
        auprc=auprc,
        recall=recall,
        flows={a: int((cause == a).sum()) for a in attacks},
        benign=int(benign.sum()),
        macro_auprc=float(np.mean(list(auprc.values()))) if auprc else float("nan"),
        macro_auprc_classes=float(np.mean(both)),
        precision=hits / (hits + false) if hits + false else float("nan"),
        recall_all=float(recall_all),
        f1=2 * hits / (hits + false + bad.sum()) if bad.any() else float("nan"),
        fpr=float(fpr),
        precision_1_percent=precision_at(0.01, float(recall_all), float(fpr)),
        precision_01_percent=precision_at(0.001, float(recall_all), float(fpr)),
        alarms_a_week=false * _WEEK_S / lasts_s,
    )


def precision_at(prevalence: float, recall: float, fpr: float) -> float:
    """Return the precision where attacks are this share of flows."""
    hits, false = recall * prevalence, fpr * (1.0 - prevalence)
    return hits / (hits + false) if hits + false else float("nan")


def _precision(
    score: NDArray[np.float64], bad: NDArray[np.bool_], good: NDArray[np.bool_]
) -> float:
    from sklearn.metrics import average_precision_score

    if not (bad.any() and good.any()):
        return float("nan")
    rows = bad | good
    return float(average_precision_score(bad[rows], score[rows]))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, float):
        return None if np.isnan(value) else round(value, 6)
    return value
