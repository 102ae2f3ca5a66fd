"""What Ctrl-C leaves of a command, said in the line that it ends with."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def says_when_interrupted(tell: Callable[[], str]) -> Iterator[None]:
    """Let a command that is interrupted end with what is kept and how to go on.

    tell  returns that; called then, for it may depend on how far it came
    """
    try:
        yield
    except KeyboardInterrupt as exc:
        exc.add_note(tell())
        raise


def lies_in(folder: Path | None, otherwise: str) -> Callable[[], str]:
    """Return what says that a folder, once it is there, holds what is done."""

    def tell() -> str:
        if folder is None or not folder.exists():
            return otherwise
        return f"what is done lies in {folder}; call it again to go on"

    return tell
