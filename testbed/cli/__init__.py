"""The command line: parse, call one function, print, exit code.

Exit codes: 0 done, 1 some trials failed or a check found faults in data, 2 bad
configuration or an input file that cannot be read, 3 lab not ready, 4 journal or disk
not safe, 130 interrupted. Errors go to stderr as one sentence with the remedy.
"""

import importlib
import logging
import sys
from typing import Annotated

import typer

from analysis.errors import AnalysisError
from analysis.pcap.errors import CaptureError
from testbed.cli.problems import explain
from testbed.errors import TestbedError

TOPICS = ("plan", "lab", "run", "data", "learn", "report")


def build() -> typer.Typer:
    """Return the whole command, each topic in its module."""
    app = typer.Typer(
        name="testbed",
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
    ) -> None:
        """Record labelled smart-home traffic, and learn from it."""
        level = logging.DEBUG if debug else logging.WARNING
        logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
        for noisy in ("paramiko", "urllib3", "matplotlib", "gtts"):
            floor = logging.INFO if debug else logging.CRITICAL
            logging.getLogger(noisy).setLevel(floor)

    for topic in TOPICS:
        importlib.import_module(f"testbed.cli.{topic}").register(app)
    return app


def main() -> None:
    """Run the command and leave with its exit code."""
    app = build()
    if "--debug" in sys.argv:
        app()
    try:
        app()
    except (TestbedError, AnalysisError, CaptureError) as exc:
        print(f"testbed: {exc}", file=sys.stderr)
        sys.exit(getattr(exc, "exit_code", 2))
    except KeyboardInterrupt:
        print("testbed: interrupted", file=sys.stderr)
        sys.exit(130)
    except OSError as exc:
        print(f"testbed: {explain(exc)}", file=sys.stderr)
        sys.exit(4)
