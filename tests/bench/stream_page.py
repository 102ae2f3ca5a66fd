"""The figures of streaming as a page of the documentation."""

from collections.abc import Iterator
from typing import Any

Record = dict[str, Any]
_HEAD = (
    "| device | events | found | false | F1, any | F1, groups | F1, activities | "
    "onset p50 / p95 |"
)


def page_of(facts: Record) -> str:
    """Return the page in Markdown."""
    return "\n".join([*_lines(facts), ""])


def _lines(facts: Record) -> Iterator[str]:
    lived, idle = facts["lived"], facts["idle"]
    yield "# Streaming: what it reaches"
    yield ""
    yield (
        "Simulated, fast form, packet depth. Made by "
        f"`{facts['command']} --page docs/streaming-results.md`; how it works and what "
        "the words mean: [streaming.md](streaming.md). Training: nine devices, 40 "
        "repeats of each activity and channel in eight sessions, 48 h of idle traffic. "
        f"Days: {facts['days']}, of other sessions and other seeds than training; "
        f"activities are named by `{facts['classifier']}` (seed {facts['seed']})."
    )
    yield ""
    yield "## Activities"
    yield ""
    yield (
        f"{lived['days']} days of {lived['hours']:g} h (seed {lived['seed']}); "
        "residents act at random times; nine devices in one capture. Onset collar "
        "±2 s, one detection per event. 95 % interval by a bootstrap over days, never "
        "narrower than Wilson's over as many events. "
        f"{lived['silent']} times power was cut: that causes no packet, cannot be "
        "seen, and is not among the events; with it, F1 (any) is "
        f"{lived['with_silent']['any']['f1']:.3f} and F1 (groups) "
        f"{lived['with_silent']['group']['f1']:.3f}."
    )
    yield ""
    yield _HEAD
    yield "|---|" + "--:|" * 7
    for name, scores in lived["devices"].items():
        yield _row(name, scores)
    yield _row("**all**", lived["all"])
    yield ""
    yield "any: an event, whatever it is called; groups: activities that training could"
    yield "not tell apart count as one, and are answered as one; activities: each by"
    yield "its own name, of a group by the likeliest."
    yield ""
    for name, groups in facts["groups"].items():
        joined = [", ".join(group) for group in groups if len(group) > 1]
        if joined:
            yield f"- {name}: one group: {'; one group: '.join(joined)}"
    yield ""
    yield from _curve(lived["curve"])
    yield ""
    yield from _rest(facts, lived, idle)


def _row(name: str, scores: Record) -> str:
    found = scores["any"]
    cells = [name, f"{found['events']}", f"{found['found']}", f"{found['false']}"]
    cells += [_f1(scores[each]) for each in ("any", "group", "activity")]
    cells.append(f"{_s(found['onset_p50_s'])} / {_s(found['onset_p95_s'])}")
    return f"| {' | '.join(cells)} |"


def _f1(found: Record) -> str:
    text = f"{found['f1']:.3f}"
    if found["interval"] is None:
        return text
    low, high = found["interval"]
    return f"{text} ({low:.3f}-{high:.3f})"


def _s(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _curve(curve: Record) -> Iterator[str]:
    yield "| collar | F1, any | F1, groups |"
    yield "|--:|--:|--:|"
    for (collar_s, one), (_collar, two) in zip(
        curve["any"], curve["group"], strict=True
    ):
        yield f"| {collar_s:g} s | {one:.3f} | {two:.3f} |"


def _rest(facts: Record, lived: Record, idle: Record) -> Iterator[str]:
    found = lived["all"]["any"]
    yield "## Idle days"
    yield ""
    which = f" ({', '.join(idle['which'])})" if idle["which"] else ""
    yield (
        f"{idle['false']} false events{which} in {idle['device_days']:g} device-days "
        f"(seed {idle['seed']}): {idle['per_device_day']:.3f} per device and day, at "
        f"most {idle['high']:.3f} (95 %, exact Poisson)."
    )
    yield ""
    yield "## How soon, how fast"
    yield ""
    yield (
        "From the true end of an activity until all that it is told from is over: p50 "
        f"{_s(lived['clock_latency_p50_s'])}, p95 {_s(lived['clock_latency_p95_s'])}; "
        "live, a clock tells that. In a file only the next packet of anybody does: "
        f"p50 {_s(found['latency_p50_s'])}, p95 {_s(found['latency_p95_s'])}."
    )
    yield ""
    yield (
        f"{lived['packets_per_s']:,.0f} packets per second of one core on lived days "
        f"({lived['packets']:,} packets), {idle['packets_per_s']:,.0f} on idle days; "
        f"at most {max(lived['most_kept'], idle['most_kept']):,} packets of nine "
        f"devices were kept at a time. Learning took {facts['learn_s']:.0f} s, on a "
        "machine that did other work as well."
    )
