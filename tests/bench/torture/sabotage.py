"""Ways to break the product, to see that the harness can fail."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

SABOTAGE = "TORTURE_SABOTAGE"


def commit(word: str) -> None:
    """Break this process's product; '' leaves it as it is."""
    if word:
        WAYS[word]()


def _forget_the_half_done() -> None:
    """Let resume take a half-done attempt for none: it is never voided."""
    from testbed.runner.campaigns import campaign

    def nothing(*_args: object, **_kwargs: object) -> None:
        pass

    campaign._Campaign._void = nothing  # type: ignore[method-assign, assignment]


def _write_rows_twice() -> None:
    """Write each row of the activity log twice."""
    from testbed.runner.campaigns import campaign, folder

    def twice(path: Path, text: str) -> None:
        if path.name == "activities.csv":
            head, *rows = text.splitlines(keepends=True)
            text = "".join([head, *rows, *rows])
        folder.write_whole(path, text)

    campaign.write_whole = twice


def _leave_a_process() -> None:
    """Let each controller start something that lives on."""
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "5"])  # noqa: S606


def _believe_everything() -> None:
    """Let trials count whose packets were never recorded."""
    from testbed.runner.campaigns import rounds

    rounds.unproven = lambda *_args, **_kwargs: []


WAYS: Mapping[str, Callable[[], None]] = {
    "forget": _forget_the_half_done,
    "twice": _write_rows_twice,
    "process": _leave_a_process,
    "believe": _believe_everything,
}
