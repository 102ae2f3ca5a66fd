"""Scores on public data as Markdown: every figure with its split, n and interval."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.bench.public_words import ABOUT, HEAD, NAMES
from tests.bench.table1_page import markdown

Record = Mapping[str, Any]

TITLES = {
    "random_forest": "RF",
    "nearest": "kNN",
    "naive_bayes": "NB",
    "gradient_boosting": "HGB",
    "extra_trees": "extra trees (mark)",
}


def table(facts: Record) -> list[str]:
    """Return the tables of a set."""
    lines = [f"### {facts['set']} ({facts['source']}), seed {facts['seed']}", ""]
    if facts["over_devices"]:
        for task in facts["over_devices"]:
            lines += [*_over_devices(task), ""]
        lines += [*_per_device(facts), ""]
    else:
        for task in facts["devices"][0]["tasks"]:
            lines += [*_task(task), ""]
    return lines


def _task(task: Record) -> Iterator[str]:
    if "refused" in task:
        yield f"**{task['task']}**: refused: {task['refused']}."
        return
    yield (
        f"**{task['task']}** ({_leaky(task)}; {task['n_trials']} tested traces, "
        f"{task['n_sessions']} sessions, {task['n_classes']} classes{_parts(task)}; "
        f"{_marks(task)})"
    )
    yield ""
    shuffled = f"labels shuffled {task['null']}"
    heads = ["classifier", "accuracy [95 %]", "macro-F1", "ECE", shuffled, "s"]
    rows = [
        [
            _title(each["classifier"]),
            f"{each['accuracy']:.3f} {_range(each['interval'])}",
            f"{each['f1']:.3f}",
            f"{each['ece']:.3f}",
            f"{each['null_accuracy']:.3f}",
            f"{each['took_s']:.0f}",
        ]
        for each in task["results"]
    ]
    yield from markdown(heads, rows)
    if task["paired"]:
        yield ""
        yield _told(task["paired"])


def _leaky(task: Record) -> str:
    return "leaky" if task["leaky"] else "not leaky"


def _marks(task: Record) -> str:
    """Return what is had without looking at a packet."""
    return f"chance {task['chance']:.3f}, majority {task['majority']:.3f}"


def _parts(task: Record) -> str:
    n = task.get("n_parts", 1)
    return f"; mean of {n} draws of the folds" if n > 1 else ""


def _told(pair: Record) -> str:
    return (
        f"{_title(pair['ours'])} − {_title(pair['best_of_paper'])}, the best of RF, "
        f"kNN and NB: {100 * pair['difference']:+.1f} points "
        f"{_range(pair['difference_interval'], 100, '+.1f')}; errors "
        f"{100 * pair['error_reduction']:.0f} % fewer "
        f"{_range(pair['error_reduction_interval'], 100, '.0f')} (bootstrap over "
        f"{pair['n_groups']} sessions)."
    )


def _over_devices(task: Record) -> Iterator[str]:
    yield (
        f"**{task['task']}** ({_leaky(task)}; mean over {task['n_devices']} devices, "
        f"{task['n_trials']} tested traces; {_marks(task)})"
    )
    yield ""
    rows = [
        [
            _title(name),
            f"{each['mean']:.3f} {_range(each['interval'])}",
            f"{task['null_accuracy'][name]:.3f}",
        ]
        for name, each in task["accuracy"].items()
    ]
    heads = ["classifier", "accuracy [95 % over devices]", "labels shuffled"]
    yield from markdown(heads, rows)
    for mark, above in task["above"].items():
        yield ""
        yield (
            f"{_title(task['ours'])} − {_title(mark)}: "
            f"{100 * above['difference']:+.1f} points "
            f"{_range(above['difference_interval'], 100, '+.1f')} (bootstrap over "
            f"{above['n_devices']} devices)."
        )


def _per_device(facts: Record) -> Iterator[str]:
    names = list(facts["over_devices"][0]["accuracy"])
    heads = ["device", "task", "classes", "tested", "chance", "majority"]
    heads += [_title(name) for name in names]
    rows = []
    for device in facts["devices"]:
        for task in device["tasks"]:
            if "refused" in task:
                refused = [device["device"], task["task"], task["refused"]]
                rows.append([*refused, *("" for _ in heads[3:])])
                continue
            by_name = {each["classifier"]: each for each in task["results"]}
            rows.append(
                [
                    *(device["device"], task["task"]),
                    *(str(task["n_classes"]), str(task["n_trials"])),
                    *(f"{task[mark]:.3f}" for mark in ("chance", "majority")),
                    *(f"{by_name[n]['accuracy']:.3f}" for n in names),
                ]
            )
    yield from markdown(heads, rows)


def _title(name: str) -> str:
    return TITLES.get(name, name)


def _range(
    interval: Sequence[float] | None, scale: float = 1, form: str = ".3f"
) -> str:
    if interval is None:
        return "[–]"
    low, high = (format(scale * edge, form) for edge in interval)
    return f"[{low}, {high}]"


def page(sets: Sequence[Record]) -> str:
    """Return the page of all sets that were scored."""
    lines = [HEAD]
    for facts in sets:
        counts = counted(facts)
        about = (words[facts["set"]].format_map(counts) for words in (NAMES, ABOUT))
        lines += [f"## {next(about)}", "", next(about)]
        lines += [f"- {name}: {what}." for name, what in facts["tasks"].items()]
        lines += ["", f"`{facts['command']}`", ""]
        lines += table(facts)[2:]
    lines += ["## What was compared", "", *_settings(sets), ""]
    text = "\n".join(lines).replace("\n\n\n", "\n\n")
    return text.rstrip() + "\n"


def counted(facts: Record) -> Record:
    """Return the numbers that the words around the tables name."""
    tasks = facts["devices"][0]["tasks"]
    first, last = tasks[0], tasks[-1]
    return {
        "n_devices": len(facts["devices"]),
        "n_traces": sum(device["n_traces"] for device in facts["devices"]),
        "n_classes": first.get("n_classes", "–"),
        "n_within": first.get("n_trials", "–"),
        "n_commands": first.get("n_classes", "–"),
        "n_beyond": last.get("n_trials", "–"),
        "n_common": last.get("n_classes", "–"),
    }


def _settings(sets: Sequence[Record]) -> Iterator[str]:
    known: dict[str, str] = {}
    for facts in sets:
        known |= facts["settings"]
    yield from markdown(
        ["classifier", "settings"], [[_title(n), text] for n, text in known.items()]
    )
