"""Dialogues: what an instrument was asked and what it answered, as a readable file.

JSON lines: first a header, then one line per exchange, in the order of the questions.
A stand-in plays it back, so that a driver is tested against a real instrument that is
not there.
"""

import json
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from testbed.errors import ConfigError

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One question and its answer.

    at_s    seconds since the recording began
    took_s  until the answer was there
    status  exit status of a command, status of HTTP
    """

    at_s: float
    took_s: float
    request: str
    answer: str
    status: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialogue:
    """All exchanges with one instrument.

    instrument  phone, plug, router or voice
    simulated   whether it is one of the virtual lab
    redacted    how many values of each kind were replaced
    """

    instrument: str
    driver: str
    simulated: bool
    recorded: str
    redacted: dict[str, int] = field(default_factory=dict)
    exchanges: tuple[Exchange, ...] = ()


class UnknownRequestError(ConfigError):
    """A stand-in was asked what the dialogue has no answer to."""


class Answers:
    """The answers of a dialogue, request by request. Thread-safe.

    A request that was recorded several times gets its answers in order, and the last
    one ever after.
    """

    def __init__(self, exchanges: Iterable[Exchange], source: str) -> None:
        self._left: defaultdict[str, list[Exchange]] = defaultdict(list)
        for exchange in exchanges:
            self._left[exchange.request].append(exchange)
        self._source = source
        self._lock = threading.Lock()
        self.unknown: list[str] = []

    def to(self, request: str) -> Exchange:
        """Return the next answer; raises UnknownRequestError, and notes it as well."""
        with self._lock:
            left = self._left.get(request)
            if left is None:
                self.unknown.append(request)
                raise UnknownRequestError(
                    f"{self._source} has no answer to {request!r}; record it again "
                    "with a driver that asks this"
                )
            return left.pop(0) if len(left) > 1 else left[0]


def write_dialogue(path: Path, dialogue: Dialogue) -> None:
    """Write a dialogue; an existing file is replaced as a whole."""
    head = asdict(dialogue)
    exchanges = head.pop("exchanges")
    lines = [{"dialogue": FORMAT, **head}, *exchanges]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def read_dialogue(path: Path) -> Dialogue:
    """Read a dialogue; raises ConfigError when the file is none."""
    try:
        head, *lines = path.read_text(encoding="utf-8").splitlines()
        facts = json.loads(head)
        if facts.pop("dialogue") != FORMAT:
            raise ConfigError(f"{path} has another format than {FORMAT}")
        exchanges = tuple(Exchange(**json.loads(line)) for line in lines if line)
        return Dialogue(**facts, exchanges=exchanges)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ConfigError(f"{path} is not a dialogue of an instrument: {exc}") from exc


def texts(exchanges: Sequence[Exchange]) -> list[str]:
    """Return all that was said."""
    return [text for e in exchanges for text in (e.request, e.answer)]
