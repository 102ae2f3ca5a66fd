"""Name activities by what devices say in plain text (section 3.4 of the paper).

For devices that say little and do not encrypt it. The messages of a window, with the
fields masked that differ from time to time, go each to the nearest training message by
normalised Levenshtein distance; the window is the activity whose training windows most
often hold these messages and miss the others (Bernoulli naive Bayes over presence).

texts_of, messages_of       what is said in windows, as it was sent and masked
vocabulary, PayloadMatcher  learn from some windows, name others
heard                       all messages of captures, each once
GramClassifier              byte 3-grams and logistic regression, to compare with
"""

from analysis.payload.grams import GramClassifier
from analysis.payload.heard import Heard, heard
from analysis.payload.matcher import (
    PayloadMatcher,
    TooMuchTextError,
    Vocabulary,
    distances,
    vocabulary,
)
from analysis.payload.messages import (
    Captures,
    Messages,
    masked_all,
    messages_of,
    texts_of,
)
from analysis.payload.text import decode_kasa, kasa_messages, masked, plain_text
from analysis.windows import UNKNOWN

__all__ = [
    "UNKNOWN",
    "Captures",
    "GramClassifier",
    "Heard",
    "Messages",
    "PayloadMatcher",
    "TooMuchTextError",
    "Vocabulary",
    "decode_kasa",
    "distances",
    "heard",
    "kasa_messages",
    "masked",
    "masked_all",
    "messages_of",
    "plain_text",
    "texts_of",
    "vocabulary",
]
