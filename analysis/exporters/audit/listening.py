"""Compare the readable words of a capture as recorded and as published."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

from analysis.exporters.audit.model import PLAIN, Finding, shown
from analysis.exporters.audit.pairs import Progress, Step, Task
from analysis.exporters.audit.plain import plain_words
from analysis.exporters.audit.saying import End, Said, Silent
from analysis.pcap.errors import CaptureError

_MOST_WORDS = 1 << 20  # different ones of a capture
_Where = tuple[str, str, str]  # device, remote, what the conversation is called


class Told(NamedTuple):
    """What two said to each other that is as it was recorded.

    frame  packet of the first word;  flows  number of conversations
    """

    device: str
    remote: str
    name: str
    frame: int
    flows: int
    words: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came of the words of a capture, or of a share of it.

    held    what may stand where it does by chance, unless other captures say it, too
    words   number of those that nobody knows, as published
    unread  why it was not looked at; '' when it was
    """

    told: Sequence[Told] = ()
    held: Sequence[Told] = ()
    words: int = 0
    unread: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as values that JSON knows."""
        return asdict(self)

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> "Heard":
        """Return what `as_json` made of it."""
        told, held = (tuple(Told(*one) for one in value[k]) for k in ("told", "held"))
        words, unread = value["words"], value["unread"]
        return cls(told=told, held=held, words=words, unread=unread)


@dataclass(slots=True)
class _Conversation:
    """What was said between two: packet of the first word, words, conversations."""

    frame: int
    words: dict[str, None] = field(default_factory=dict)
    flows: set[int] = field(default_factory=set)


def listened(task: Task, step: Step) -> Heard:
    """Return which words of a capture nobody knows and nobody replaced."""
    ((_, source, published),) = task.pairs
    progress = Progress(task.size_b, step)
    found: set[str] = set()
    told: dict[_Where, _Conversation] = {}
    held: dict[_Where, _Conversation] = {}
    read = progress.part(0, 0.5, published.stat().st_size)
    words = partial(
        plain_words,
        judge=task.campaign.judge(),
        opaque=task.opaque,
        share=task.share,
        silent=Silent(),
    )
    try:
        for said in words(published, step=read):
            if len(found) >= _MOST_WORDS:
                progress.at(1)
                return Heard(unread=f"says more than {_MOST_WORDS} different words")
            where = _where(said.end, task.campaign.devices)
            _take(said, where, found, held if said.doubtful else told)
        kept: set[str] = set()
        surely: set[str] = set()
        if found:  # else there is nothing to be found again
            read = progress.part(0.5, 1, source.stat().st_size)
            again = words(source, step=read)
            for said in again:
                if said.word in found:
                    (kept if said.doubtful else surely).add(said.word)
    except CaptureError as exc:
        return Heard(unread=f"cannot be read as a capture: {exc.reason}")
    finally:
        progress.at(1)
    return Heard(
        told=(*_kept(told, kept | surely), *_kept(held, surely)),
        held=_kept(held, kept - surely),
        words=len(found),
    )


def convinced(heard: Sequence[Heard]) -> list[Heard]:
    """Return what captures say, with what was held back of one and is in others, too.

    Nothing that noise holds by chance is there twice.
    """
    said = Counter(
        word
        for each in heard
        for word in {word for one in (*each.told, *each.held) for word in one.words}
    )
    return [
        replace(each, told=(*each.told, *_twice(each.held, said)), held=())
        for each in heard
    ]


def _twice(held: Iterable[Told], said: Mapping[str, int]) -> Iterator[Told]:
    for each in held:
        words = [word for word in each.words if said[word] > 1]
        if words:
            yield each._replace(words=words)


def _kept(told: Mapping[_Where, _Conversation], all_kept: Set[str]) -> tuple[Told, ...]:
    """Return what of conversations is as it was recorded."""
    return tuple(
        Told(*where, conversation.frame, len(conversation.flows), words)
        for where, conversation in sorted(told.items())
        if (words := [word for word in conversation.words if word in all_kept])
    )


def _take(
    said: Said,
    where: _Where,
    found: set[str],
    told: dict[_Where, _Conversation],
) -> None:
    found.add(said.word)
    conversation = told.setdefault(where, _Conversation(said.frame))
    conversation.words[said.word] = None
    conversation.flows.add(said.flow)


def findings_of(file: str, shares: Iterable[Heard]) -> Iterable[Finding]:
    """Yield a finding for each device, remote and port of one capture."""
    joined: dict[_Where, Told] = {}
    for each in (told for heard in shares for told in heard.told):
        where = (each.device, each.remote, each.name)
        before = joined.get(where)
        joined[where] = each if before is None else _together(before, each)
    for _, told in sorted(joined.items()):
        yield _finding(file, told)


def _together(one: Told, other: Told) -> Told:
    return one._replace(
        frame=min(one.frame, other.frame),
        flows=one.flows + other.flows,
        words=list(dict.fromkeys((*one.words, *other.words))),
    )


def _finding(file: str, told: Told) -> Finding:
    words = told.words
    longest = max(words, key=len)
    names = (PLAIN, f"{PLAIN}:{told.name}", f"{PLAIN}:{told.device}")
    remedy = (
        "name what must go in --secrets, or --payload headers; words that tell "
        "nothing: --accept-words; all that is said there: "
        f"--accept '{names[1]}' or '{names[2]}'"
    )
    more = f" and {len(words) - 1} more words" if len(words) > 1 else ""
    return Finding(
        file=file,
        place=f"{told.device} with {told.remote}, {told.name}, packet {told.frame}",
        kind=PLAIN,
        encoding="readable text",
        shown=f"{shown(longest)}{more}",
        reader="plain",
        n=max(1, told.flows),
        accept=names,
        remedy=remedy,
        words=tuple(words),
    )


def _where(end: End, devices: Mapping[int, str]) -> _Where:
    """Return device, remote and name of a conversation, from the device's view."""
    here = 1 if end.macs[1] in devices and end.macs[0] not in devices else 0
    mac = end.macs[here]
    text = f"{mac:012x}"
    device = devices.get(mac) or ":".join(text[i : i + 2] for i in range(0, 12, 2))
    return device, end.ips[1 - here] or "a neighbour", end.name
