"""Words to and from the phone's shell."""

import re
import shlex

# What AndroidViewClient says when the phone could not tell what it shows this moment:
# nothing was dumped, the screen did not come to rest, the file was being written.
_PASSING = ("Empty UiAutomator dump", "refreshed too frequently", "valid XML", "line 1")


def typing_command(text: str) -> str:
    """Return the shell command that types `text` into the focused field."""
    # `input text` makes a blank of %s, and the shell must see none of the text
    return f"input text {shlex.quote(text.replace(' ', '%s'))}"


def is_package(name: str) -> bool:
    """Say whether this is the name of an app, safe to put into a command."""
    return re.fullmatch(r"[A-Za-z]\w*(\.\w+)+", name, re.ASCII) is not None


def is_passing(error: Exception) -> bool:
    """Say whether a dump failed in a way that the next one may not."""
    return any(words in str(error) for words in _PASSING)
