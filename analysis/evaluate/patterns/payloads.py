"""Score the payload matcher on devices that speak in plain text."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from analysis.dataset import Campaign
from analysis.errors import DatasetError
from analysis.evaluate.samples import Cut, Samples, Strings
from analysis.evaluate.splits.folds import Split
from analysis.evaluate.study import Refusal, Result, parted, result_of
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
Found: TypeAlias = tuple[tuple[Result, ...], tuple[Refusal, ...]]


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
) -> Found:
    """Score the matcher on one device of a campaign, or refuse each split in words.

    captures  raw captures, or why there are none;  samples  those of `made`
    """
    return payloads_over(
        [(captures, made)], samples, parted(samples, splits, seed), seed
    )


def payloads_over(
    sources: Sequence[tuple[Captures | str, Cut]],
    samples: Samples,
    split: tuple[tuple[Split, ...], tuple[Refusal, ...]],
    seed: int,
) -> Found:
    """Score the matcher on one device of one campaign or several.

    A device without any message in plain text has neither results nor refusals.

    sources  captures, or why there are none, and windows, in the order of `samples`
    split    the splits that could be made, and refusals of others
    """
    reason = next((each for each, _made in sources if isinstance(each, str)), "")
    if not reason:
        messages = [
            window
            for captures, made in sources
            if not isinstance(captures, str)
            for window in messages_of(captures, made.cleaned.table, made.windows)
        ]
        if not any(messages):
            return (), ()
        try:
            known = vocabulary(messages)
            found = tuple(_score(samples, known, each, seed) for each in split[0])
        except TooMuchTextError as exc:
            reason = str(exc)
        else:
            return found, split[1]
    names = (*(each.name for each in split[0]), *(each.split for each in split[1]))
    return (), tuple(
        Refusal(device=samples.device, split=name, reason=f"{NAME}: {reason}")
        for name in names
    )


def payload_study(
    samples: Samples, known: Vocabulary, splits: Sequence[str], seed: int
) -> Found:
    """Score the matcher on one device; row i of `known` is row i of the samples."""
    made, refusals = parted(samples, splits, seed)
    return tuple(_score(samples, known, split, seed) for split in made), refusals


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
