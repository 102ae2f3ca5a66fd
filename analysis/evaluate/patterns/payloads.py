"""Score the payload matcher on devices that speak in plain text."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis.dataset import Campaign
from analysis.errors import DatasetError
from analysis.evaluate.samples import Cut, Samples, Strings
from analysis.evaluate.splits.named import SPLITS, Split, SplitRefusedError
from analysis.evaluate.study import Refusal, Result, result_of
from analysis.packets import find_raw
from analysis.payload import (
    Captures,
    PayloadMatcher,
    TooMuchTextError,
    Vocabulary,
    messages_of,
    vocabulary,
)

NAME, TITLE = "payload", "Payload"


def plain_devices(campaign: Campaign, devices: Sequence[str]) -> tuple[str, ...]:
    """Return the devices that may speak in plain text, in the order given.

    A profile says `plaintext`; imported campaigns have none, so that there all may.
    """
    silent = campaign.form != "imported"
    kept = {d.name for d in campaign.devices if d.plaintext or not silent}
    return tuple(name for name in devices if name in kept)


def open_captures(folder: Path) -> Captures | str:
    """Open the raw captures of a campaign; a sentence where there are none."""
    try:
        return Captures(find_raw(folder))
    except DatasetError as exc:
        return str(exc)


def payloads_in(
    captures: Captures | str,
    made: Cut,
    samples: Samples,
    splits: Sequence[str],
    seed: int,
) -> tuple[tuple[Result, ...], tuple[Refusal, ...]]:
    """Score the matcher on one device, or refuse each split in words.

    A device without any message in plain text has neither results nor refusals.

    captures  raw captures, or why there are none;  samples  those of `made`
    """
    reason = captures if isinstance(captures, str) else ""
    if not isinstance(captures, str):
        messages = messages_of(captures, made.cleaned.table, made.windows)
        if not any(messages):
            return (), ()
        try:
            return payload_study(samples, vocabulary(messages), splits, seed)
        except TooMuchTextError as exc:
            reason = str(exc)
    return (), tuple(
        Refusal(device=samples.device, split=name, reason=f"{NAME}: {reason}")
        for name in splits
    )


def payload_study(
    samples: Samples, known: Vocabulary, splits: Sequence[str], seed: int
) -> tuple[tuple[Result, ...], tuple[Refusal, ...]]:
    """Score the matcher on one device; row i of `known` is row i of the samples."""
    results: list[Result] = []
    refusals: list[Refusal] = []
    for name in splits:
        try:
            split = SPLITS[name].split(samples, seed)
        except SplitRefusedError as exc:
            refusals.append(Refusal(device=samples.device, split=name, reason=str(exc)))
            continue
        results.append(_score(samples, known, split, seed))
    return tuple(results), tuple(refusals)


def _score(samples: Samples, known: Vocabulary, split: Split, seed: int) -> Result:
    def predict(labels: Strings) -> Strings:
        said = []
        for fold in split.folds:
            learnt = PayloadMatcher(known).fit(
                fold.train, labels[fold.train], samples.session[fold.train]
            )
            said.append(learnt.predict(fold.test))
        return np.concatenate(said)

    return result_of(samples, NAME, split, predict, seed=seed)
