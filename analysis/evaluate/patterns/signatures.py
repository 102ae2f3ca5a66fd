"""Score packet-length signatures on the label windows of one device."""

from collections.abc import Sequence

import numpy as np

from analysis.evaluate.samples import Samples, Strings
from analysis.evaluate.splits.named import Split
from analysis.evaluate.study import Refusal, Result, parted, result_of
from analysis.signatures import Pairs, SignatureMatcher

NAME = "signature"


def signature_study(
    samples: Samples, pairs: Sequence[Pairs], splits: Sequence[str], seed: int
) -> tuple[tuple[Result, ...], tuple[Refusal, ...]]:
    """Score signatures, learnt anew in each fold; `pairs[i]` are those of sample i."""
    made, refusals = parted(samples, splits, seed)
    return tuple(_score(samples, pairs, split, seed) for split in made), refusals


def _score(samples: Samples, pairs: Sequence[Pairs], split: Split, seed: int) -> Result:
    def predict(labels: Strings) -> Strings:
        said = []
        for fold in split.folds:
            learnt = SignatureMatcher(pairs).fit(fold.train, labels[fold.train])
            said.append(learnt.predict(fold.test))
        return np.concatenate(said)

    return result_of(samples, NAME, split, predict, seed=seed)
