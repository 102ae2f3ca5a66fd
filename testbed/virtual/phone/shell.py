"""The phone's shell: enough of sh for adb and AndroidViewClient.

Understood are words with quotes, `;`, `&&`, `||`, `> file`, `2> file` and `$?`. There
are no pipes, variables or globs; a line that needs them ends with status 2.
"""

import shlex
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

OUT, ERR = 1, 2  # also the numbers of their packets in shell,v2


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command printed, and its exit status."""

    out: bytes = b""
    err: bytes = b""
    status: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """What a line printed, as (OUT or ERR, bytes) in order, and its exit status."""

    pieces: tuple[tuple[int, bytes], ...] = ()
    status: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Simple:
    """One command of a line: runs after `glue`, printing where it was told."""

    glue: str
    words: tuple[str, ...]
    out_to: str | None
    err_to: str | None


Command = Callable[[Sequence[str]], Awaitable[Result]]


class Shell:
    """Runs lines with a set of commands and a flat file system."""

    def __init__(self, commands: dict[str, Command], files: dict[str, bytes]) -> None:
        self._commands = commands
        self._files = files

    async def run(self, line: str) -> Printed:
        """Run one line; a command that does not exist ends with status 127."""
        try:
            parts = list(parse(line))
        except ValueError as exc:
            return Printed(pieces=((ERR, f"sh: {exc}\n".encode()),), status=2)
        pieces: list[tuple[int, bytes]] = []
        status = 0
        for part in parts:
            if (part.glue == "&&" and status) or (part.glue == "||" and not status):
                continue
            result = await self._one([w.replace("$?", str(status)) for w in part.words])
            status = result.status
            pieces.append((OUT, self._redirect(part.out_to, result.out)))
            pieces.append((ERR, self._redirect(part.err_to, result.err)))
        return Printed(pieces=tuple(p for p in pieces if p[1]), status=status)

    async def _one(self, words: Sequence[str]) -> Result:
        name = words[0].rsplit("/", 1)[-1]
        command = self._commands.get(name)
        if command is None:
            text = f"/system/bin/sh: {words[0]}: inaccessible or not found\n"
            return Result(err=text.encode(), status=127)
        return await command(words[1:])

    def _redirect(self, path: str | None, data: bytes) -> bytes:
        if path is None:
            return data
        if path != "/dev/null":
            self._files[path] = data
        return b""


def parse(line: str) -> Iterator[Simple]:
    """Yield the commands of a line; raises ValueError for what is not understood."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    glue, words = ";", list[str]()
    targets: dict[str, str | None] = {"1": None, "2": None}
    pieces = iter(lexer)
    for piece in pieces:
        if piece in (";", "&&", "||"):
            yield from _simple(glue, words, targets)
            glue, words, targets = piece, [], {"1": None, "2": None}
        elif piece == ">":
            stream = words.pop() if words and words[-1] in ("1", "2") else "1"
            targets[stream] = next(pieces, "/dev/null")
        elif set(piece) <= set("&|<>"):
            raise ValueError(f"syntax error: unexpected '{piece}'")
        else:
            words.append(piece)
    yield from _simple(glue, words, targets)


def _simple(
    glue: str, words: list[str], targets: dict[str, str | None]
) -> Iterator[Simple]:
    if words:
        yield Simple(
            glue=glue, words=tuple(words), out_to=targets["1"], err_to=targets["2"]
        )
