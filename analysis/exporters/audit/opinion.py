"""A second opinion, which rests on no list of identifiers: what is as it was recorded.

Values of fields of identity and readable words are taken from a capture as it was
recorded and as it is published; what is in both, and is known to tell nothing by no
rule, is a finding.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from analysis.exporters.audit.identity import Pair, compare
from analysis.exporters.audit.judging import Judge
from analysis.exporters.audit.looking import Looker
from analysis.exporters.audit.model import PLAIN, Finding, shown
from analysis.exporters.audit.plain import End, Said, plain_words
from analysis.pcap.errors import CaptureError
from analysis.pcap.stream import open_capture_stream

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_WORDS = 1 << 20  # different ones of a capture
_OF_PRODUCT = ("device", "vendor", "model", "category", "firmware", "app_version")
_S = 10**9
_Where = tuple[str, str, str]  # device, remote, what the conversation is called


@dataclass(slots=True)
class _Conversation:
    """What was said between two: packet of the first word, words, conversations."""

    frame: int
    words: dict[str, None] = field(default_factory=dict)
    flows: set[int] = field(default_factory=set)


def second_opinion(
    looker: Looker,
    folder: Path,
    originals: Mapping[str, Path],
    step: Callable[[int], None],
) -> None:
    """Compare captures below a folder with those that they were made of.

    originals  path of a published capture below the folder -> the recorded one
    step       is told bytes of published captures that were compared
    """
    of_campaign: dict[str, list[Pair]] = {}
    for file, source in sorted(originals.items()):
        published = folder / file
        if published.is_file() and published.stat().st_size:
            where = Path(file).parent.parent.as_posix()
            of_campaign.setdefault(where, []).append((file, source, published))
    for where, pairs in of_campaign.items():
        about = _about(folder / where / "campaign.yaml")
        devices = _devices(about)
        judge = Judge(_words(about), at_s=_time_of(pairs[0][1]))
        opaque = compare(looker, pairs, judge)
        for pair in pairs:
            _listen(looker, pair, _Ear(judge, opaque, devices))
            step(pair[2].stat().st_size)


def compared_b(folder: Path, originals: Iterable[str]) -> int:
    """Return how many bytes of published captures there are to compare."""
    there = (folder / file for file in originals)
    return sum(path.stat().st_size for path in there if path.is_file())


@dataclass(frozen=True, slots=True)
class _Ear:
    """What is known when one listens: words, ports of unknown protocols, devices."""

    judge: Judge
    opaque: frozenset[str]
    devices: Mapping[int, str]

    def words(self, path: Path) -> Iterator[Said]:
        """Yield what a capture says that could tell of somebody."""
        return plain_words(path, self.judge, self.opaque)


def _listen(looker: Looker, pair: Pair, ear: _Ear) -> None:
    """Add to findings the words of a capture that nobody knows and nobody replaced."""
    file, source, published = pair
    found: dict[str, set[_Where]] = {}
    told: dict[_Where, _Conversation] = {}
    try:
        for said in ear.words(published):
            if len(found) >= _MOST_WORDS:
                looker.unread(file, f"says more than {_MOST_WORDS} different words")
                return
            _take(said, _where(said.end, ear.devices), found, told)
        kept = {s.word for s in ear.words(source) if s.word in found}
    except CaptureError as exc:
        looker.unread(file, f"cannot be read as a capture: {exc.reason}")
        return
    looker.looked_at.words += len(found)
    for where, conversation in sorted(told.items()):
        words = [word for word in conversation.words if word in kept]
        if words:
            looker.others.append(_finding(file, where, conversation, words))


def _take(
    said: Said,
    where: _Where,
    found: dict[str, set[_Where]],
    told: dict[_Where, _Conversation],
) -> None:
    found.setdefault(said.word, set()).add(where)
    conversation = told.setdefault(where, _Conversation(said.frame))
    conversation.words[said.word] = None
    conversation.flows.add(said.flow)


def _finding(
    file: str, where: _Where, conversation: _Conversation, words: Sequence[str]
) -> Finding:
    device, remote, name = where
    longest = max(words, key=len)
    names = (PLAIN, f"{PLAIN}:{name}", f"{PLAIN}:{device}")
    remedy = (
        "name what must go in --secrets, or --payload headers; who knows that it tells "
        f"nothing: --accept '{names[1]}' or '{names[2]}'"
    )
    more = f" and {len(words) - 1} more words" if len(words) > 1 else ""
    return Finding(
        file=file,
        place=f"{device} with {remote}, {name}, packet {conversation.frame}",
        kind=PLAIN,
        encoding="readable text",
        shown=f"{shown(longest)}{more}",
        reader="plain",
        n=max(1, len(conversation.flows)),
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


def _about(path: Path) -> Mapping[str, Any]:
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return {}  # all that is lost is what products are called
    return data if isinstance(data, Mapping) else {}


def _devices(about: Mapping[str, Any]) -> dict[int, str]:
    found = {}
    for each in about.get("devices") or ():
        mac = str(each.get("mac") or "").replace(":", "")
        if mac:
            found[int(mac, 16)] = str(each.get("device"))
    return found


def _words(about: Mapping[str, Any]) -> Iterator[str]:
    """Yield words of products and activities, which the data set is about."""
    profiles = about.get("profiles")
    profiles = profiles if isinstance(profiles, Mapping) else {}
    for each in (*profiles.values(), *(about.get("devices") or ())):
        if not isinstance(each, Mapping):
            continue
        yield from (str(each.get(key) or "") for key in _OF_PRODUCT)
        app = each.get("app")
        yield from map(str, app.values() if isinstance(app, Mapping) else ())
        activities = each.get("activities")
        for name, how in (
            activities if isinstance(activities, Mapping) else {}
        ).items():
            yield str(name)
            yield from _parameters(how)


def _parameters(how: Any) -> Iterator[str]:
    parameters = how.get("parameters") if isinstance(how, Mapping) else None
    for name, values in (parameters if isinstance(parameters, Mapping) else {}).items():
        yield str(name)
        yield from map(str, values if isinstance(values, list) else ())


def _time_of(path: Path) -> int:
    """Return when a capture begins, s UTC; 0 when it says nothing."""
    try:
        with open_capture_stream(path) as capture:
            for batch in capture:
                if len(batch):
                    return int(batch.time_ns[0]) // _S
    except CaptureError:
        return 0
    return 0
