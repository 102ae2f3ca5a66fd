"""The other way to name windows by their text: which three bytes follow each other.

TF-IDF of byte 3-grams and logistic regression, to compare the matcher with: it needs no
messages and no masks, but a window of strange text gets a name all the same.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.windows import IDLE_ACTIVITY, UNKNOWN

Int64 = NDArray[np.int64]
Labels = NDArray[np.str_]

_C = 30.0


class GramClassifier:
    """Learns from the text of windows, given as rows of `messages`.

    messages  those of each window, masked or as they were sent
    """

    def __init__(self, messages: Sequence[Sequence[str]]) -> None:
        self._texts = ["\n".join(window) for window in messages]
        self.classes_: Labels = np.zeros(0, dtype=np.str_)
        self._model: Any = None

    def fit(self, rows: Int64, activity: Labels) -> "GramClassifier":
        """Learn from windows `rows` with (k,) activities; those without text aside."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        self.classes_ = np.unique(activity)
        spoken = [i for i, row in enumerate(rows.tolist()) if self._texts[row]]
        if np.unique(activity[spoken]).size < 2:
            self._model = None
            return self
        grams = TfidfVectorizer(analyzer="char", ngram_range=(3, 3), lowercase=False)
        self._model = make_pipeline(grams, LogisticRegression(C=_C, max_iter=1000))
        self._model.fit([self._texts[rows[i]] for i in spoken], activity[spoken])
        return self

    def predict(self, rows: Int64) -> Labels:
        """Return (k,) str: the activity of each window.

        A window without text is idle where `idle` was learnt, and UNKNOWN elsewhere.
        """
        silent = IDLE_ACTIVITY if IDLE_ACTIVITY in self.classes_ else UNKNOWN
        said = [silent] * rows.size
        spoken = [i for i, row in enumerate(rows.tolist()) if self._texts[row]]
        if self._model is not None and spoken:
            found = self._model.predict([self._texts[rows[i]] for i in spoken])
            for i, name in zip(spoken, found, strict=True):
                said[i] = str(name)
        return np.array(said, dtype=np.str_)
