"""The key of pseudonyms: named, or made once for this user."""

import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from testbed.errors import ConfigError

_KEY_B = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key.

    keep  writes it, if it is new; to be called when nothing speaks against its use
    """

    value: bytes = field(default=bytes(_KEY_B), repr=False)
    keep: Callable[[], None] = lambda: None


def key_of(path: Path | None) -> Key:
    """Read the key; draw one where none was named and none made. Raises ConfigError."""
    if path is None:
        home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
        path = Path(home).expanduser() / "testbed" / "publish.key"
        if not path.exists():
            value = secrets.token_bytes(_KEY_B)
            return Key(value=value, keep=partial(_keep, path, value))
    try:
        key = path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"--key: {path}: cannot be read: {exc.strerror}") from exc
    if len(key) != _KEY_B:
        reason = f"must hold {_KEY_B} random bytes, holds {len(key)}"
        raise ConfigError(
            f"--key: {path}: {reason}; head -c 32 /dev/urandom makes them"
        )
    return Key(value=key)


def _keep(path: Path, value: bytes) -> None:
    """Write a new key, for its owner alone. Raises ConfigError."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part.unlink(missing_ok=True)
        place = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(place, "wb") as file:
                file.write(value)
            os.link(part, path)  # never over one that another call made meanwhile
        finally:
            part.unlink(missing_ok=True)
    except FileExistsError as exc:
        reason = "another call made a key meanwhile; call it again"
        raise ConfigError(f"{path}: {reason}") from exc
    except OSError as exc:
        reason = f"no key can be kept there: {exc.strerror}; name one by --key"
        raise ConfigError(f"{path}: {reason}") from exc
    why = "whoever has it can undo pseudonyms; without it none can be made again"
    print(f"testbed: a key was made: {path}; {why}", file=sys.stderr)
