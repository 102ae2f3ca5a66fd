"""The model card: what a model is for, how good it is, and when not to use it.

After Mitchell et al., Model Cards for Model Reporting (2019). It is written from what
is kept with the model, so that it cannot tell another story than `model.json`.
"""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

from analysis.models.model import (
    DeviceFacts,
    DeviceModel,
    Origin,
    SplitFigures,
    TrainedModel,
)
from analysis.windows import IDLE_ACTIVITY

CARD = "CARD.md"
_STREAMING = "streaming.json"  # what `analysis.streaming` keeps
_BY_CLASS = ("s1", "s2")
_SPECIAL = re.compile(r"[\\`*\[\]<>|~&#!$@]|://|(?<![^\W_])_|_(?![^\W_])")
_BREAKS = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")


def card_of(
    model: TrainedModel, sizes_b: Mapping[str, int], parts: Sequence[str] = ()
) -> str:
    """Return the card of a model as Markdown.

    sizes_b  device -> bytes of its estimator on disk
    parts    names of the files that are kept beside it
    """
    facts = [each.facts for each in model.devices.values()]
    blocks = [
        f"# Model card: {escaped(model.origin.campaign)}",
        _use(model.origin),
        "## Data",
        *_data(model.origin, facts, sizes_b),
        "## How good it is",
        _SPLITS,
        *(_device(each) for each in facts),
        "## When it does not answer",
        _ABSTAINS,
        _answers(list(model.devices.values())),
        _strangers(facts),
        *_streaming(facts, parts),
        "## Known limits",
        _limits(model.origin),
        "## How to make it again",
        _again(model.origin, facts, parts),
    ]
    return "\n\n".join(blocks) + "\n"


def escaped(text: str) -> str:
    """Return a text that stands in a line or a table of Markdown as itself."""
    line = _BREAKS.sub(" ", text).strip()
    return _SPECIAL.sub(lambda found: f"\\{found.group()}", line)


_SPLITS = """\
Each figure is of the same classifier, trained anew without the sessions that it was
tested on; none is on rows that it had learnt. S1 leaves out whole sessions in turn, S2
trains on the earlier sessions and tests on the last, S6 leaves out sessions and a
quarter of the activities, and scores the others. Intervals are of 95 %, over
sessions, and never narrower than over trials. *Null* is the accuracy of the same
procedure on labels shuffled in each session, *majority* that of one constant answer.
The model itself was then trained on all sessions: nothing was held out to score it."""

_ABSTAINS = """\
Each window has a *strangeness* from 0 to 1: how little it is like windows of the
likeliest activity in what tells activities apart, by rank among those answered in S1.
Above *strange from*, the answer is `unknown`: meant for 5 of 100 windows of known
activities. `idle` is an answer like any other: nothing happened. The set of an answer
holds the activities that the window may be, meant so that 95 of 100 sets hold the
truth; a window with an empty set is `unknown`, too.

The thresholds are *cross-conformal*: learnt from the answers of S1, each of which was
given by an estimator that had not learnt the session, and then used with the estimator
of this model, which has learnt all of them. **That 95 of 100 sets hold the truth is
therefore an aim and no guarantee**: split conformal prediction would prove it for
sessions that come from the same source, at the price of sessions that nothing is learnt
from. What the aim came to is in the first table: each fold of S1 is answered by
thresholds of the other folds. Its estimator had not learnt its sessions, nor were the
thresholds learnt from answers to them; but the estimators that gave the answers of the
other folds had learnt these sessions, so that the figures may be a little too good.

The second table is of activities that were never learnt (S6), and is nested: each fold
learns thresholds anew within its own training rows. Neither its estimators nor its
thresholds have seen the activities that are left out, or the sessions that are tested.
It says how well such thresholds fare, not these very ones: they are of fewer
activities and sessions. *Stranger* is the chance that a window of such an activity is
stranger than one of a known activity."""


def _use(origin: Origin) -> str:
    where = (
        "**It was trained on simulated data**: the figures say how well it works in "
        "the virtual lab, and nothing of real devices."
        if origin.simulated
        else "It was trained on captured data."
    )
    return (
        "Names the activity behind a window of one device's packets, of sizes, "
        "directions and times alone. It is meant for research on the devices below, "
        "with their consent who use them; not for evidence against anybody, and not "
        f"for alarms without a human who looks at them.\n\n{where}"
    )


def _data(
    origin: Origin, facts: Sequence[DeviceFacts], sizes_b: Mapping[str, int]
) -> Iterable[str]:
    kind = "simulated" if origin.simulated else "captured"
    rules = ", ".join(origin.rules) or "none"
    versions = ", ".join(f"{name} {v}" for name, v in origin.versions.items())
    yield (
        f"Campaign {escaped(origin.campaign)}: {kind}, form {escaped(origin.form)}. "
        f"SHA-256 of its captures and activity log: `{origin.data_digest}`. "
        f"Classes by {escaped(origin.by)}; overlapping windows: "
        f"{escaped(origin.overlap)}; packets removed before: {escaped(rules)}; "
        f"seed {origin.seed}. Made with {escaped(versions)}."
    )
    yield _table(
        ("device", "unit", "firmware", "sessions", "days", "trials", "idle", "bytes"),
        [
            (
                each.device.name,
                each.device.unit or "-",
                each.device.firmware or "-",
                str(len(each.learnt.sessions)),
                _days(each.learnt.days),
                str(each.learnt.n_rows - each.learnt.trials.get(IDLE_ACTIVITY, 0)),
                str(each.learnt.trials.get(IDLE_ACTIVITY, 0)),
                str(sizes_b[each.device.name]),
            )
            for each in facts
        ],
    )


def _days(days: Sequence[str]) -> str:
    if len(days) < 2:
        return "".join(days) or "-"
    return f"{len(days)}, {days[0]} to {days[-1]}"


def _device(facts: DeviceFacts) -> str:
    rows = [_score_row(each) for each in facts.scores]
    heads = ("split", "accuracy", "macro-F1", "ECE", "null", "majority", "trials")
    notes = [
        f"{each.title} left out: {each.note}." for each in facts.scores if each.note
    ]
    notes += [
        f"{each.title}: each session holds one activity only: what is recognised may "
        "be the session, and there is no null."
        for each in facts.scores
        if each.confounded
    ]
    if facts.learnt.n_too_close:
        notes.append(
            f"{facts.learnt.n_too_close} acts are left out: another follows too soon "
            "for windows of one length."
        )
    if facts.learnt.n_uncovered:
        notes.append(f"{facts.learnt.n_uncovered} windows lie outside every capture.")
    parts = [
        f"### {escaped(facts.device.name)}",
        f"{escaped(facts.classifier)} ({escaped(facts.settings)}), longest window "
        f"{facts.longest_s:.1f} s.",
        _table((*heads, "sessions"), rows),
        *map(escaped, notes),
        _table(
            ("activity", "δ in s", "learnt from", *_class_heads(facts.scores)),
            [_class_row(name, facts) for name in facts.activities],
        ),
    ]
    return "\n\n".join(parts)


def _score_row(score: SplitFigures) -> tuple[str, ...]:
    if score.reason:
        return (score.title, f"none: {score.reason}", *("-",) * 6)
    return (
        score.title,
        _between(score.accuracy, score.interval),
        _between(score.f1, score.f1_interval),
        "-" if score.ece is None else f"{score.ece:.3f}",
        "-" if score.confounded else f"{score.null:.3f}",
        f"{score.majority:.3f}",
        str(score.n_trials),
        str(score.n_sessions),
    )


def _between(value: float, interval: tuple[float, float] | None) -> str:
    if interval is None:
        return f"{value:.3f}"
    return f"{value:.3f} ({interval[0]:.3f}–{interval[1]:.3f})"


def _answers(devices: Sequence[DeviceModel]) -> str:
    """Return the table of thresholds, and how they fared."""
    heads = ("device", "learnt from", "strange from", "answered", "of them right")
    rows = [_answers_row(each) for each in devices]
    return _table((*heads, "sets true", "set size"), rows)


def _answers_row(made: DeviceModel) -> tuple[str, ...]:
    rule, found = made.decision, made.facts.tried
    learnt = f"{rule.n_windows} windows, {rule.n_sessions} sessions"
    fared: tuple[str, ...] = ("-",) * 4
    if found is not None:
        shares = (found.answered, found.right, found.covered)
        fared = (*(f"{each:.3f}" for each in shares), f"{found.set_size:.2f}")
    return (
        made.device.name,
        learnt if rule.n_windows else "nothing: it always answers",
        f"{rule.strange_from:.3f}",
        *fared,
    )


def _strangers(devices: Sequence[DeviceFacts]) -> str:
    """Return the table of activities that were left out of training."""
    heads = ("device", "never learnt: refused", "learnt: answered", "stranger")
    return _table(heads, [_strangers_row(each) for each in devices])


def _strangers_row(facts: DeviceFacts) -> tuple[str, ...]:
    found = facts.strange
    if found is None:
        return (facts.device.name, "-", "-", "-")
    return (
        facts.device.name,
        f"{found.refused:.3f} of {found.n_windows}",
        f"{found.answered:.3f} of {found.n_known}",
        _between(found.auroc, found.interval),
    )


def _streaming(facts: Sequence[DeviceFacts], parts: Sequence[str]) -> Iterable[str]:
    """Return what is said of the part that `classify` works with, if there is one."""
    if _STREAMING not in parts:
        return
    names = " and ".join(dict.fromkeys(escaped(each.classifier) for each in facts))
    yield "## Activities in a stream"
    yield (
        f"`{_STREAMING}` and the estimators beside it are for `testbed classify`. They "
        "are learnt from the same campaign and seed: that something begins is told by "
        f"extremely randomised trees, which activity it is by {names}, in windows "
        "that open where traffic begins that is not background. Their thresholds are "
        "of their own, set by answers to sessions that were left out in turn, or, "
        "where there is one only, to stretches of it. **No figure on this card is of "
        "them**: nothing here says how many events they find, "
        "or how often they are wrong."
    )


def _told_by_class(scores: Sequence[SplitFigures]) -> list[SplitFigures]:
    return [score for score in scores if score.split in _BY_CLASS]


def _class_heads(scores: Sequence[SplitFigures]) -> tuple[str, ...]:
    return tuple(
        f"{score.split.upper()} {what}"
        for score in _told_by_class(scores)
        for what in ("precision", "recall", "n")
    )


def _class_row(name: str, facts: DeviceFacts) -> tuple[str, ...]:
    delta_s = facts.delta_s.get(name)
    row = [name, "-" if delta_s is None else f"{delta_s:.1f}"]
    row.append(str(facts.learnt.trials.get(name, 0)))
    for score in _told_by_class(facts.scores):
        found = next((a for a in score.activities if a.activity == name), None)
        if found is None:
            row += ["-", "-", "0"]
        else:
            row += [f"{found.precision:.3f}", f"{found.recall:.3f}", str(found.support)]
    return tuple(row)


def _limits(origin: Origin) -> str:
    limits = [
        "It knows the devices above, by these firmwares and apps, in this home. Of "
        "another unit, firmware or network nothing is promised; a split by unit says "
        "more than any figure here.",
        _of_length(origin),
        "An activity that it has not learnt is answered with `unknown` at best, and "
        "with the name of another at worst: see the last table above.",
        "Trials were caused by a script, one at a time: what two activities at once "
        "look like, it has not seen.",
        "Who pads, delays or tunnels the traffic defeats it.",
    ]
    if origin.simulated:
        limits.insert(
            0, "All data are simulated: no figure here carries over to a real home."
        )
    return "\n".join(f"- {each}" for each in limits)


def _of_length(origin: Origin) -> str:
    if origin.window_s is not None:
        return "All windows of a device are alike: it expects windows of that length."
    return (
        "Windows have the length of their activity (δ in the tables), and their length "
        "shows in some features: windows of another length are strange to it. "
        "`--window` trains on windows of one length."
    )


def _again(origin: Origin, facts: Sequence[DeviceFacts], parts: Sequence[str]) -> str:
    words = ["testbed", "train", f"captures/{_BREAKS.sub(' ', origin.campaign)}"]
    words += ["--out", "MODEL", "--seed", str(origin.seed), "--by", origin.by]
    for each in facts:
        words += ["--device", each.device.name]
    words += ["--classifier", facts[0].classifier if facts else "fusion"]
    words += ["--overlap", origin.overlap]
    for rule in origin.rules or ("none",):
        words += ["--clean", rule]
    if origin.window_s is not None:
        words += [
            "--window",
            f"{origin.window_s!r} s" if origin.window_s else "longest",
        ]
    if origin.idle is not None:
        words += ["--idle", str(origin.idle)]
    if _STREAMING in parts:
        words.append("--streaming")
    command = shlex.join(words)
    ticks = max((len(run) for run in re.findall("`+", command)), default=0)
    fence = "`" * max(3, ticks + 1)
    return f"{fence}sh\n{command}\n{fence}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        f"| {' | '.join(cell if cell == '---' else escaped(cell) for cell in line)} |"
        for line in lines
    )
