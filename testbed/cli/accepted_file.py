"""Words that may stay as they are, read from the file of `publish --accept-words`."""

from pathlib import Path
from typing import TYPE_CHECKING

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
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise ConfigError(
            f"{_WHAT}: {path}: cannot be read: {exc.strerror or exc}"
        ) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{_WHAT}: {path}: is no text in UTF-8") from exc
    return AcceptedWords.read(text)
