"""A second opinion, which rests on no list of identifiers: what is as it was recorded.

Values of fields of identity and readable words are taken from a capture as it was
recorded and as it is published; what is in both, and is known to tell nothing by no
rule, is a finding.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from analysis.exporters.audit.identity import Compared, askable, compared
from analysis.exporters.audit.identity import findings_of as same_findings
from analysis.exporters.audit.listening import Heard, convinced, listened
from analysis.exporters.audit.listening import findings_of as plain_findings
from analysis.exporters.audit.looking import Looker
from analysis.exporters.audit.pairs import (
    Campaign,
    Pair,
    Task,
    fields_tasks,
    words_tasks,
)
from analysis.exporters.audit.pool import Pool, Step, side_by_side
from analysis.exporters.audit.second import series
from analysis.exporters.audit.tshark import TsharkError, fault_of_tshark
from analysis.exporters.audit.units import Kept
from analysis.pcap.errors import CaptureError
from analysis.pcap.stream import open_capture_stream
from analysis.safe_yaml import load_yaml

_WORTH_IT_B = 1 << 26  # a process takes seconds to begin
_OF_PRODUCT = ("device", "vendor", "model", "category", "firmware", "app_version")
_S = 10**9
_Captures = tuple[Campaign, Sequence[Pair]]
_Seen = TypeVar("_Seen", Compared, Heard)


def second_opinion(
    looker: Looker,
    folder: Path,
    originals: Mapping[str, Path],
    step: Step,
    *,
    jobs: int = 1,
    kept: Kept | None = None,
) -> None:
    """Compare captures below a folder with those that they were made of.

    originals  path of a published capture below the folder -> the recorded one
    step       is told bytes of published captures that were compared
    jobs       processes at most; one where there is little to compare
    kept       what an earlier call saw
    """
    campaigns = list(_campaigns(folder, originals))
    size_b = compared_b(folder, originals)
    jobs = jobs if size_b >= _WORTH_IT_B else 1
    with side_by_side(jobs, _ready) as pool:
        opaque = _compare_fields(looker, campaigns, _Doing(pool, kept, step))
        _compare_words(looker, campaigns, opaque, _Doing(pool, kept, step))


def _ready() -> None:
    """Need nothing: tasks hold all."""


@dataclass(frozen=True, slots=True)
class _Doing:
    """How tasks are done: where, what is known of them, who is told."""

    pool: Pool
    kept: Kept | None
    step: Step

    def done(
        self,
        do: Callable[[Task, Step], _Seen],
        of_json: Callable[[Mapping[str, Any]], _Seen],
        tasks: Sequence[Task],
    ) -> list[_Seen]:
        """Return what came of tasks, in their order."""
        seen: dict[str, _Seen] = {}
        for task in tasks:
            kept = self.kept
            known = None if kept is None else kept.load(task.name, task.files)
            if known is not None and known["asked"] == _asked(task):
                seen[task.name] = of_json(known["seen"])
                self.step(task.size_b)
        todo = [task for task in tasks if task.name not in seen]
        todo.sort(key=lambda task: -task.size_b)
        for task, found in self.pool.done(do, todo, self.step):
            seen[task.name] = found
            # what was not looked at is tried again
            if self.kept is not None and not found.unread:
                value = {"asked": _asked(task), "seen": found.as_json()}
                self.kept.save(task.name, task.files, value)
        return [seen[task.name] for task in tasks]


def _asked(task: Task) -> list[str]:
    """Return what a task depends on beside its files."""
    return [*sorted(task.opaque), *task.known]


def _compare_fields(
    looker: Looker, campaigns: Sequence[_Captures], doing: _Doing
) -> list[frozenset[str]]:
    """Add fields that are as recorded; return the opaque ports of each campaign."""
    if not campaigns:
        return []
    known = _fields_of_tshark(looker)
    tasks = [list(fields_tasks(*each, known)) for each in campaigns]
    if not known:
        doing.step(sum(task.size_b for each in tasks for task in each))
        return [frozenset() for _ in campaigns]
    flat = [task for each in tasks for task in each]
    seen = iter(doing.done(compared, Compared.of_json, flat))
    opaque = []
    for each in tasks:
        of_campaign = [(task, next(seen)) for task in each]
        _tell_fields(looker, of_campaign)
        opaque.append(frozenset(p for _, found in of_campaign for p in found.opaque))
    return opaque


def _fields_of_tshark(looker: Looker) -> tuple[str, ...]:
    if fault_of_tshark():
        return ()  # which is a finding already
    try:
        return askable()
    except TsharkError as exc:
        looker.unread("all captures", f"{exc}")
        return ()


def _tell_fields(looker: Looker, done: Sequence[tuple[Task, Compared]]) -> None:
    """Add what came of the fields of one campaign."""
    of_series: dict[str, list[Compared]] = {}
    unknown: dict[str, str] = {}
    for task, found in done:
        of_series.setdefault(series(task.pairs[0][0]), []).append(found)
        looker.looked_at.identities += found.identities
        for name, file in found.unknown:
            unknown.setdefault(name, file)  # it is told once
        for file, why in found.unread:
            looker.unread(file, why)
    for name, file in sorted(unknown.items()):
        looker.unread(file, f"this tshark does not know {name}", name=name)
    for each in of_series.values():
        looker.others.extend(same_findings(each))


def _compare_words(
    looker: Looker,
    campaigns: Sequence[_Captures],
    opaque: Sequence[frozenset[str]],
    doing: _Doing,
) -> None:
    """Add readable words that are as recorded."""
    tasks = [
        task
        for each, ports in zip(campaigns, opaque, strict=True)
        for task in words_tasks(*each, ports)
    ]
    of_file: dict[str, list[Heard]] = {}
    all_heard = convinced(doing.done(listened, Heard.of_json, tasks))
    for task, heard in zip(tasks, all_heard, strict=True):
        file = task.pairs[0][0]
        of_file.setdefault(file, []).append(heard)
        looker.looked_at.words += heard.words
    for file, shares in of_file.items():
        for why in sorted({heard.unread for heard in shares} - {""}):
            looker.unread(file, why)
        looker.others.extend(plain_findings(file, shares))


def compared_b(folder: Path, originals: Iterable[str]) -> int:
    """Return how many bytes of published captures there are to compare."""
    there = (folder / file for file in originals)
    return sum(path.stat().st_size for path in there if path.is_file())


def _campaigns(folder: Path, originals: Mapping[str, Path]) -> Iterator[_Captures]:
    """Yield campaigns and their captures."""
    pairs: dict[str, list[Pair]] = {}
    for file, source in sorted(originals.items()):
        published = folder / file
        if published.is_file() and published.stat().st_size:
            where = Path(file).parent.parent.as_posix()
            pairs.setdefault(where, []).append((file, source, published))
    for where, each in pairs.items():
        path = folder / where / "campaign.yaml"
        about = _about(path)
        campaign = Campaign(
            about=path,
            words=tuple(_words(about)),
            devices=_devices(about),
            at_s=_time_of(each[0][1]),
        )
        yield campaign, each


def _about(path: Path) -> Mapping[str, Any]:
    try:
        data = load_yaml(path.read_text(encoding="utf-8"))
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
