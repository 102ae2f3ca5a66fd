"""Words that may stay as they are, read from the file of `publish --accept-words`."""

from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.reading import text_told
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.exporters.audit import AcceptedWords

_WHAT = "--accept-words"


def read_accepted(path: Path, out: Path) -> "AcceptedWords":
    """Return the words of a file that is not the draft's own. Raises ConfigError.

    The draft's list is written anew by each audit: who named it would accept, the next
    time, what was refused this time.
    """
    from analysis.exporters.audit import AcceptedWords

    draft = out.with_name(f"{out.name}.draft").resolve()
    if draft in path.resolve().parents:
        raise ConfigError(
            f"{_WHAT}: {path}: is the draft's own, and written anew by each call; "
            "copy it, and name the copy without what must go"
        )
    return AcceptedWords.read(text_told(_WHAT, path))
