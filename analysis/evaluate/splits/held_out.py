"""Splits that hold out more than a session: a day, a unit, an interface, activities.

S3 to S6 of the evaluation. Each keeps whole sessions on one side as S1 does.
"""

import warnings

import numpy as np

from analysis.dataset import Times
from analysis.evaluate.samples import Samples, Strings
from analysis.evaluate.splits.folds import (
    Fold,
    MayUse,
    SplitPlan,
    SplitRefusedError,
    none_of,
    seen_under,
)
from analysis.features.model import Int64
from analysis.windows import IDLE_ACTIVITY

_AT_MOST = 10  # folds: more days or units than that are held out in groups
_FOLDS = 5
_SESSION_GROUPS = 3  # per interface, so that there are not too many folds
_UNKNOWN_SHARE = 0.25  # of the activities that are left out of training at a time


def session_groups(
    samples: Samples, rows: Int64, n_groups: int
) -> tuple[tuple[Int64, Int64], ...]:
    """Part rows into groups of whole sessions, as even in activities as can be.

    Returns (rows outside, rows inside) per group, as many groups as the commonest
    activity has rows where these are fewer; nothing here is random. Raises
    SplitRefusedError when there are not two.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    session, activity = samples.session[rows], samples.activity[rows]
    most = np.unique(activity, return_counts=True)[1].max(initial=0)
    n_groups = min(n_groups, np.unique(session).size, int(most))
    if n_groups < 2:
        raise SplitRefusedError(
            "too few trials: no activity has two, in sessions of their own"
        )
    # Stratified, so that an activity of few sessions is not left to one side alone.
    folds = StratifiedGroupKFold(n_groups)
    with warnings.catch_warnings():
        # of rare activities there is not one per group; n tells it
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        parts = tuple(folds.split(np.zeros((rows.size, 1)), activity, session))
    return tuple((rows[a], rows[b]) for a, b in parts)


def _in_two_days(samples: Samples) -> MayUse:
    if samples.times is Times.INVENTED:
        return none_of(
            samples, "the import made up the days; tell real ones in a column day"
        )
    if np.unique(samples.day).size < 2:
        return none_of(samples, "one day only: no day is new")
    return seen_under(samples.day, samples, "seen on one day only")


def _by_day(samples: Samples, rows: Int64, seed: int) -> tuple[Fold, ...]:
    del seed  # nothing here is random
    return _one_out(samples.day, rows)


def places_of(samples: Samples) -> Strings:
    """Return (k,) str: home and unit of each row, '' where neither is known."""
    pairs = zip(samples.home.tolist(), samples.unit.tolist(), strict=True)
    return np.array([" ".join(p for p in pair if p) for pair in pairs], dtype=np.str_)


def _in_two_places(samples: Samples) -> MayUse:
    places = places_of(samples)
    if np.unique(places).size < 2:
        return none_of(samples, "one unit in one home only: no unit is new")
    return seen_under(places, samples, "seen on one unit only")


def _by_place(samples: Samples, rows: Int64, seed: int) -> tuple[Fold, ...]:
    del seed  # nothing here is random
    return _one_out(places_of(samples), rows)


def _one_out(column: Strings, rows: Int64) -> tuple[Fold, ...]:
    values = np.unique(column[rows])
    folds = []
    for held in np.array_split(values, min(values.size, _AT_MOST)):
        inside = np.isin(column[rows], held)
        folds.append(Fold(train=rows[~inside], test=rows[inside]))
    return tuple(folds)


def interfaces_of(samples: Samples) -> Strings:
    """Return (k,) str: channel and network, as `phone/wan`; '' for idle windows."""
    pairs = zip(samples.channel.tolist(), samples.network.tolist(), strict=True)
    names = [f"{c}/{n}" if c and n else c for c, n in pairs]
    return np.array(names, dtype=np.str_)


def _over_two_interfaces(samples: Samples) -> MayUse:
    over = interfaces_of(samples)
    if np.unique(over[over != ""]).size < 2:
        return none_of(samples, "one interface only: no interface is new")
    if len(samples.sessions()) < 2:
        return none_of(samples, "one session only: no session is new")
    return seen_under(over, samples, "seen over one interface only")


def _by_interface(samples: Samples, rows: Int64, seed: int) -> tuple[Fold, ...]:
    """Leave an interface out, and with it the sessions that are tested.

    A session drives its device over several interfaces in turn; the other acts of a
    tested session would tell what the session was like.
    """
    del seed  # nothing here is random
    over = interfaces_of(samples)
    folds = []
    for outside, inside in session_groups(samples, rows, _SESSION_GROUPS):
        for name in np.unique(over[rows]):
            train = outside[over[outside] != name]
            test = inside[over[inside] == name]
            known = np.isin(samples.activity[test], samples.activity[train])
            if known.any() and np.unique(samples.activity[train]).size > 1:
                folds.append(Fold(train=train, test=test[known]))
    if not folds:
        raise SplitRefusedError(
            "no activity is in other sessions over another interface"
        )
    return tuple(folds)


def _open_set(samples: Samples) -> MayUse:
    if len(samples.sessions()) < 2:
        return none_of(samples, "one session only: no session is new")
    if np.setdiff1d(samples.activity, [IDLE_ACTIVITY]).size < 3:
        return none_of(
            samples, "fewer than three activities: none can be left out of training"
        )
    return seen_under(samples.session, samples, "seen in one session only")


def _without_some(samples: Samples, rows: Int64, seed: int) -> tuple[Fold, ...]:
    """Test whole sessions; of each fold's training, other activities are left out.

    The activities are drawn without returning, so that as many as can be are left out
    in some fold. Idle windows are always known.
    """
    activity = samples.activity
    names = np.setdiff1d(activity[rows], [IDLE_ACTIVITY])
    order = np.random.default_rng(seed).permutation(names)
    n_out = max(1, min(round(_UNKNOWN_SHARE * names.size), names.size - 2))
    folds = []
    for number, (outside, inside) in enumerate(session_groups(samples, rows, _FOLDS)):
        drawn = order[np.arange(number * n_out, (number + 1) * n_out) % order.size]
        train = outside[~np.isin(activity[outside], drawn)]
        strange = np.isin(activity[inside], drawn)
        fold = Fold(train=train, test=inside[~strange], unknown=inside[strange])
        if fold.test.size and fold.unknown.size and np.unique(activity[train]).size > 1:
            folds.append(fold)
    if not folds:
        raise SplitRefusedError("too few trials to leave an activity out of training")
    return tuple(folds)


HELD_OUT = (
    SplitPlan(
        name="s3",
        title="S3 by day",
        description="each day is tested by what the other days taught",
        leaky=False,
        eligible=_in_two_days,
        cut=_by_day,
    ),
    SplitPlan(
        name="s4",
        title="S4 by unit",
        description="each unit or home is tested by what the others taught",
        leaky=False,
        eligible=_in_two_places,
        cut=_by_place,
    ),
    SplitPlan(
        name="s5",
        title="S5 by interface",
        description="each interface (channel and network) is tested by what the others "
        "taught in other sessions",
        leaky=False,
        eligible=_over_two_interfaces,
        cut=_by_interface,
    ),
    SplitPlan(
        name="s6",
        title="S6 open set",
        description="whole sessions are tested; a quarter of the activities, drawn for "
        "each fold, is left out of training and to be told from the known ones",
        leaky=False,
        eligible=_open_set,
        cut=_without_some,
    ),
)
