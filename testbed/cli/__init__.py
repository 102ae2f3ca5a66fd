"""The command line: parse, call one function, print, exit code.

Exit codes: 0 done, 1 some trials failed or a check found faults in data, 2 bad
configuration or an input file that cannot be read, 3 lab not ready, 4 journal or disk
not safe, 5 too little recorded to give an answer, 130 interrupted. Errors go to stderr
as one sentence with the remedy.
"""

import importlib
import logging
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from analysis.errors import AnalysisError
from analysis.pcap.errors import CaptureError
from testbed.cli.problems import explain
from testbed.errors import TestbedError

# module -> its commands
TOPICS: Mapping[str, tuple[str, ...]] = {
    "plan": ("init", "check", "plan"),
    "lab": ("lab",),
    "doctor": ("doctor",),
    "run": ("run", "resume"),
    "rerun": ("rerun",),
    "status": ("status",),
    "schedule": ("schedule", "serve"),
    "record": ("record",),
    "packets": ("packets",),
    "data": ("label",),
    "imports": ("import",),
    "learn": ("features", "evaluate"),
    "delta": ("delta",),
    "train": ("train",),
    "classify": ("classify",),
    "detect": ("detect",),
    "flows": ("flows",),
    "report": ("report",),
    "publish": ("publish",),
    "verify": ("verify",),
    "compare": ("compare",),
    "reproduce": ("reproduce",),
    "inspect": ("inspect",),
    "messages": ("messages",),
    "payloads": ("payloads",),
    "signatures": ("signatures",),
}

_FLAGS = ("--debug",)  # may stand before a command


class _Interrupted(BaseException):
    """Ctrl-C, carried past the library, which would leave without a word."""


class _Commands(TyperGroup):
    """The commands; Ctrl-C comes out of them as what `main` can tell of."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().make_context(*args, **kwargs)
        except KeyboardInterrupt as exc:
            raise _Interrupted from exc

    def invoke(self, ctx: Any) -> Any:  # the context of a library within typer
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as exc:
            raise _Interrupted from exc


def build(topics: Iterable[str] = tuple(TOPICS)) -> typer.Typer:
    """Return the command with these topics, each in its module."""
    app = typer.Typer(
        name="testbed",
        cls=_Commands,
        help="Record labelled smart-home traffic, and learn from it.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        add_completion=True,
    )

    @app.callback()
    def options(
        debug: Annotated[
            bool, typer.Option("--debug", help="Show tracebacks and the full log.")
        ] = False,
        version: Annotated[
            bool,
            typer.Option(
                "--version",
                is_eager=True,
                callback=_tell_version,
                help="Say which version this is.",
            ),
        ] = False,
    ) -> None:
        """Record labelled smart-home traffic, and learn from it."""
        level = logging.DEBUG if debug else logging.WARNING
        logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
        for noisy in ("paramiko", "urllib3", "matplotlib", "gtts"):
            floor = logging.INFO if debug else logging.CRITICAL
            logging.getLogger(noisy).setLevel(floor)

    for topic in topics:
        importlib.import_module(f"testbed.cli.{topic}").register(app)
    return app


def main() -> None:
    """Run the command and leave with its exit code."""
    try:
        build(needed(sys.argv[1:]))()
    except (TestbedError, AnalysisError, CaptureError) as exc:
        _leave(_told(exc, str(exc)), exc.exit_code)
    except (KeyboardInterrupt, _Interrupted) as exc:
        _leave(_told(exc.__cause__ or exc, "interrupted"), 130)
    except OSError as exc:
        _leave(_told(exc, explain(exc)), 4)


def needed(words: Sequence[str]) -> tuple[str, ...]:
    """Return the topics that a command line is about; all where it names none.

    Most of the time of a short command goes into loading what others need.
    """
    command = next((word for word in words if word not in _FLAGS), "")
    named = tuple(topic for topic, known in TOPICS.items() if command in known)
    return named or tuple(TOPICS)


def _tell_version(wanted: bool) -> None:
    """Print which version this is, and end."""
    if wanted:
        print(f"testbed {metadata.version('smarthome-testbed')}")
        raise typer.Exit


def _told(exc: BaseException, sentence: str) -> str:
    """Return a sentence with the notes that were added on its way."""
    return "; ".join([sentence, *getattr(exc, "__notes__", ())])


def _leave(sentence: str, code: int) -> NoReturn:
    """Say what happened in one sentence; with --debug, how it came to it as well."""
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        traceback.print_exc()
    print(f"testbed: {sentence}", file=sys.stderr)
    sys.exit(code)
