"""`publish`: campaigns as a dataset that strangers can open, check and run again."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.datasets import A_CAMPAIGN, refuse_others
from testbed.cli.faults import Faults
from testbed.cli.folders import refuse_unwritable
from testbed.cli.interrupting import lies_in, says_when_interrupted
from testbed.cli.publish_closing import about_of
from testbed.cli.publish_key import Key as PublishKey
from testbed.cli.publish_key import key_of
from testbed.cli.reading import StepsTold, counted, size, tell_next
from testbed.cli.secrets_file import SecretsTold, read_secrets
from testbed.cli.starting import keep_little, load_kernels
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.exporters.anonymise import Policy
    from analysis.exporters.audit import AcceptedWords
    from analysis.exporters.bundle import RefusedError, Request
    from analysis.exporters.identifiers import Identifier
    from testbed.cli.results import Report

_MB = 10**6
_STEPS = (  # what mends a refusal for words
    "these words stand, not hidden, in {0}; copy that file and read the copy:",
    "1. words to hide: delete their lines and name them in a file, --secrets FILE",
    "2. words that tell nothing: leave their lines, --accept-words COPY",
)
_MOST_SHOWN = 50
_MOST_KEPT = 12
_MOST_TEXT = 60
# fields whose texts come with profiles and scenarios, of which anybody has the same
_OF_PROFILES = frozenset(
    (
        *("activity", "anchor", "app_version", "colour", "delta_group", "filter"),
        *("firmware", "interface", "model", "parameter", "reason", "say", "text"),
        "vendor",
    )
)

Campaigns = Annotated[
    list[Path],
    typer.Argument(
        metavar="CAMPAIGN... OUT",
        help="Folders of closed campaigns, then the folder to make.",
    ),
]
Key = Annotated[
    Path | None,
    typer.Option(
        "--key",
        help="File of 32 random bytes: the same key gives the same pseudonyms. By "
        "default one is made for this user, once.",
    ),
]
Licence = Annotated[
    str, typer.Option("--licence", help="SPDX name, such as CC-BY-4.0 or CC0-1.0.")
]
Title = Annotated[str, typer.Option("--title", help="Of the dataset.")]
Authors = Annotated[
    list[str] | None,
    typer.Option("--author", help="Name, or 'Name (ORCID)'; may be repeated."),
]
Payload = Annotated[
    str,
    typer.Option(
        "--payload",
        help="keep (identifiers replaced), headers (nothing above TCP and UDP), or "
        "truncate:N (N bytes of it).",
    ),
]
Names = Annotated[
    str,
    typer.Option(
        "--names",
        help="Names of the cloud: keep-public, or pseudonym for all of them.",
    ),
]
Shift = Annotated[
    bool,
    typer.Option(
        "--shift-time", help="Move all stamps by whole weeks, as the key says."
    ),
]
Secrets = Annotated[
    Path | None,
    typer.Option(
        "--secrets",
        help="File with a secret per line that no other file tells, 'KIND VALUE', or "
        "a value of one word: passwords, names of people, places.",
    ),
]
NoSecrets = Annotated[
    list[str] | None,
    typer.Option(
        "--no-secret",
        metavar="VARIABLE",
        help="A variable that the lab file refers to, that is not set here, and that "
        "held nothing secret; may be repeated.",
    ),
]
Accept = Annotated[
    list[str] | None,
    typer.Option(
        "--accept",
        metavar="WHAT",
        help="What the audit refused and you know to tell nothing, by the name that it "
        "gave: plain:tcp/6668, unread:FILE, ...; may be repeated, and is recorded.",
    ),
]
AcceptWords = Annotated[
    Path | None,
    typer.Option(
        "--accept-words",
        help="File with words that the audit refused, that you have read and that tell "
        "nothing: a copy of the draft's private/plain.txt without the lines that must "
        "go, or a word per line. Others go on refusing; how many pass is recorded.",
    ),
]
Answers = Annotated[
    Path | None,
    typer.Option(
        "--answers",
        help="YAML file, `question: answer`, of what only you know of the dataset; "
        "OUT.answers.yaml, which the first call leaves, lists what is asked.",
    ),
]
PartSize = Annotated[
    int,
    typer.Option(
        "--part-size", min=0, help="Archive parts of at most so many MB; 0 for none."
    ),
]
NoResults = Annotated[
    bool, typer.Option("--no-results", help="Leave tables and figures out.")
]
Classifiers = Annotated[
    list[str] | None,
    typer.Option(
        "--classifier",
        help="For the results; by default rf, knn and nb, which are fast; see "
        "`testbed evaluate`.",
    ),
]
Jobs = Annotated[
    int, typer.Option("--jobs", min=1, help="Captures side by side. Takes memory.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    app.command()(publish)


def publish(
    campaigns: Campaigns,
    key: Key = None,
    licence: Licence = "CC-BY-4.0",
    title: Title = "",
    author: Authors = None,
    payload: Payload = "keep",
    names: Names = "keep-public",
    shift_time: Shift = False,
    secrets_file: Secrets = None,
    no_secret: NoSecrets = None,
    accept: Accept = None,
    accept_words: AcceptWords = None,
    answers: Answers = None,
    part_size: PartSize = 2000,
    no_results: NoResults = False,
    classifier: Classifiers = None,
    jobs: Jobs = 2,
) -> None:
    """Make a dataset of campaigns: pseudonyms, tables, metadata, audit, archive.

    It is made in OUT.draft and appears as OUT when no identifier is found any more.
    Call it again after an interruption: it goes on.
    """
    faults = _begun()
    from analysis.exporters.bundle import Request

    folders, out = faults.of(((), campaigns[-1]), _folders, campaigns)
    told, pseudonyms = _told(faults, secrets_file), faults.of(PublishKey(), key_of, key)
    request = Request(
        campaigns=folders,
        out=out,
        about=about_of(faults, title, licence, author or (), answers),
        policy=_policy(faults, payload, names),
        extra=(*told.every, *faults.of((), _variables, folders, no_secret or ())),
        accept=faults.of((), _accepted, accept or ()),
        words=_words(faults, accept_words, out),
        shift=shift_time,
        part_b=faults.of(0, _part_b, part_size),
        jobs=jobs,
        key=pseudonyms.value,
        results=None if no_results else faults.of(None, _results, classifier or ()),
    )
    faults.refuse()
    _publish(request, told, pseudonyms)


def _begun() -> Faults:
    """Load what all of it needs; return who collects what is wrong."""
    load_kernels()
    keep_little()
    return Faults()


def _results(classifiers: Sequence[str]) -> "Report | None":
    from testbed.cli.results import Report

    return Report(classifiers, jobs=os.cpu_count() or 1)


def _publish(request: "Request", told: SecretsTold, key: PublishKey) -> None:
    from analysis.exporters.bundle import RefusedError, publish
    from testbed.cli.publish_closing import closing_lines

    kept = lies_in(request.draft, "nothing was made yet; call it again")
    try:
        with says_when_interrupted(kept), StepsTold() as watcher:
            made = publish(request, watcher, key.keep)
    except RefusedError as exc:
        _tell_refusal(exc)
        _tell(told.unmet_lines(exc.unmet))
        raise
    _tell(kept_lines(made.kept))
    _tell(closing_lines(made.out, request.about))
    _tell_unneeded(made.unneeded)
    _tell(told.unmet_lines(made.unmet))
    for path in made.parts:
        print(path)
    print(f"{made.out}: {counted(made.n_files, 'file')}, {size(made.size_b)}")
    tell_next("verify", made.out)


def _folders(paths: Sequence[Path]) -> tuple[tuple[Path, ...], Path]:
    *folders, out = paths
    if not folders:
        raise ConfigError("OUT is missing: name campaigns, then the folder to make")
    if not out.name or out.name == "..":
        raise ConfigError(f"{out}: has no name of its own; name the folder to make")
    if (out / "campaign.yaml").exists():
        raise ConfigError(f"{out}: is a campaign; the last folder is the one to make")
    if out.exists() and not out.with_name(f"{out.name}.draft").is_dir():
        raise ConfigError(f"{out}: is already there; name another folder")
    for folder in folders:
        if folder.resolve() in (out.resolve(), *out.resolve().parents):
            raise ConfigError(f"{out}: lies in {folder}; name a folder elsewhere")
    # it is there where a call was killed between its last two moves
    refuse_unwritable(out.parent if out.exists() else out)
    return tuple(folders), out


def _policy(faults: Faults, payload: str, names: str) -> "Policy":
    from analysis.exporters.anonymise import Policy

    def made() -> Policy:
        try:
            return Policy(payload=payload, names=names)
        except ValueError as exc:
            raise ConfigError(str(exc)) from exc

    return faults.of(Policy(), made)


def _accepted(names: Sequence[str]) -> tuple[str, ...]:
    from analysis.exporters.audit import NOT_HARVESTED

    kinds = ", ".join(NOT_HARVESTED)
    faults = [
        f"--accept: {name}: must begin with one of {kinds}"
        for name in names
        if name.partition(":")[0] not in NOT_HARVESTED
    ]
    if faults:
        raise ConfigError("\n".join(faults))
    return tuple(sorted(set(names)))


def _words(faults: Faults, path: Path | None, out: Path) -> "AcceptedWords":
    """Read words that may stay, and say how many."""
    from analysis.exporters.audit import NO_WORDS
    from testbed.cli.accepted_file import read_accepted

    if path is None:
        return NO_WORDS
    words = faults.of(NO_WORDS, read_accepted, path, out)
    if words is not NO_WORDS:  # else why is told
        print(f"accepted words: {len(words)}", file=sys.stderr)
    return words


def _part_b(megabytes: int) -> int:
    from analysis.exporters.bundle.parts import LEAST_B

    if megabytes and megabytes * _MB < LEAST_B:
        raise ConfigError(f"--part-size: must be at least 2, got {megabytes}")
    return megabytes * _MB


def _told(faults: Faults, path: Path | None) -> SecretsTold:
    """Read secrets that no other file tells, and say how many."""
    if path is None:
        return SecretsTold()
    told = faults.of(SecretsTold(), read_secrets, path)
    if told.path is not None:  # else why is told
        print(f"secrets: {told.in_words()}", file=sys.stderr)
    return told


def _variables(
    folders: Sequence[Path], declared: Sequence[str]
) -> "tuple[Identifier, ...]":
    """Return what stands in the variables that the labs of campaigns refer to."""
    from testbed.cli.publish_variables import of_variables
    from testbed.runner.campaigns.folder import load_inputs

    faults = Faults()
    for each in folders:
        faults.of(None, refuse_others, each, A_CAMPAIGN)
    faults.refuse()
    labs = [faults.of({}, load_inputs, each).get("lab") or {} for each in folders]
    faults.refuse()
    if not labs:
        return ()  # why is told already
    found, told = of_variables(labs, declared)
    for line in told:
        print(f"testbed: {line}", file=sys.stderr)
    return found


def kept_lines(kept: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return what to say of free texts that stayed, by field: little, so it is read.

    What the lab's people called things comes first, text by text; words of profiles and
    scenarios, which are those of products, are only counted.
    """
    given = tuple(
        f"kept as told: {field}: {_listed(kept[field])}"
        for field in kept
        if field not in _OF_PROFILES
    )
    others = [field for field in kept if field in _OF_PROFILES]
    if not others:
        return given
    n = counted(sum(len(kept[field]) for field in others), "text")
    said = f"{n} of profiles and scenarios ({', '.join(others)}); all in datasheet.md"
    return (*given, f"kept as told: {said}")


def _listed(texts: Sequence[str]) -> str:
    """Return some texts in one line, shortened."""
    shown = [" ".join(text.split()) for text in texts[:_MOST_KEPT]]
    short = [f"{s[:_MOST_TEXT]}..." if len(s) > _MOST_TEXT else s for s in shown]
    more = len(texts) - _MOST_KEPT
    return ", ".join(short) + (f", and {more} more" if more > 0 else "")


def _tell(lines: Sequence[str]) -> None:
    for line in lines:
        print(line, file=sys.stderr)


def _tell_unneeded(names: Sequence[str]) -> None:
    reason = "was not needed: nothing that the audit found is called so; leave it out"
    for name in names:
        print(f"testbed: --accept {name}: {reason}", file=sys.stderr)


def _tell_refusal(exc: "RefusedError") -> None:
    for each in exc.findings[:_MOST_SHOWN]:
        print(f"testbed: {each.sentence}", file=sys.stderr)
    more = len(exc.findings) - _MOST_SHOWN
    if more > 0:
        print(f"testbed: and {more} more", file=sys.stderr)
    if any(each.words for each in exc.findings):
        for line in _STEPS:
            where = exc.draft / "private" / "plain.txt"
            print(f"testbed: {line.format(where)}", file=sys.stderr)
    _tell_unneeded(exc.unneeded)
