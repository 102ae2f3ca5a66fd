"""YAML as text, with the line of every place, and faults that name it.

PyYAML's own types would turn `on` into True and a MAC into a number, so the node tree
is read instead: every scalar stays text and pydantic gives it its type.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from testbed.errors import ConfigError

Place = tuple[str | int, ...]

MAX_FILE_B = 4 << 20  # a lab file is a few kB; this stops a capture given by mistake
MAX_NODES = 200_000  # aliases can unfold a small file without end


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Fault:
    """One thing that is wrong in an input file."""

    file: str
    line: int
    place: str
    message: str

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return f"line {self.line}  {where}{self.message}"


class FaultyFilesError(ConfigError):
    """All faults of all files that were read together."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__(describe(self.faults))


def describe(faults: Sequence[Fault]) -> str:
    """Return faults as text, grouped by file, in the order of their lines."""
    lines: list[str] = []
    for file in sorted({f.file for f in faults}):
        own = [f for f in faults if f.file == file]
        noun = "fault" if len(own) == 1 else "faults"
        lines.append(f"{file}: {len(own)} {noun}")
        lines.extend(f"  {fault}" for fault in sorted(own, key=lambda f: f.line))
    return "\n".join(lines)


def place_text(place: Place) -> str:
    """Return ('steps', 1, 'tap') as 'steps[1].tap'."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass(slots=True)
class Document:
    """One YAML file: its text values, and where each of them stands."""

    path: Path
    value: object = None
    root: yaml.Node | None = None
    faults: list[Fault] = field(default_factory=list)

    def fault(self, place: Place, message: str, *, at_key: bool = False) -> None:
        """Note a fault at a place, found by the longest part of it that exists."""
        line = self._line(place, at_key=at_key)
        text = place_text(place)
        self.faults.append(
            Fault(file=str(self.path), line=line, place=text, message=message)
        )

    def _line(self, place: Place, *, at_key: bool) -> int:
        node, mark = self.root, 1
        if node is not None:
            mark = node.start_mark.line + 1
        for i, part in enumerate(place):
            if isinstance(node, yaml.MappingNode):
                pair = next((p for p in node.value if p[0].value == str(part)), None)
                if pair is None:
                    continue  # a shorthand: the typed model has a level the text lacks
                key_line = pair[0].start_mark.line + 1
                node = pair[1]
                last = i == len(place) - 1
                mark = key_line if at_key and last else node.start_mark.line + 1
            elif (
                isinstance(node, yaml.SequenceNode)
                and isinstance(part, int)
                and part < len(node.value)
            ):
                node = node.value[part]
                mark = node.start_mark.line + 1
        return mark


def read_document(path: Path) -> Document:
    """Read a YAML file; syntax errors and keys given twice become faults of it.

    Raises ConfigError when the file cannot be read at all.
    """
    document = Document(path)
    try:
        if path.stat().st_size > MAX_FILE_B:
            raise ConfigError(f"{path}: is too large for a YAML file of the testbed")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a folder, not a file") from None
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {exc.start})") from exc
    try:
        document.root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        problem = exc.problem or "cannot be understood"
        document.faults.append(
            Fault(file=str(path), line=line, place="", message=f"not YAML: {problem}")
        )
        return document
    except yaml.YAMLError as exc:
        document.faults.append(
            Fault(file=str(path), line=1, place="", message=f"not YAML: {exc}")
        )
        return document
    if document.root is None:
        document.faults.append(
            Fault(file=str(path), line=1, place="", message="the file is empty")
        )
    else:
        budget = [MAX_NODES]
        document.value = _text(document, document.root, (), budget)
    return document


def _text(
    document: Document, node: yaml.Node, place: Place, budget: list[int]
) -> object:
    budget[0] -= 1
    if budget[0] < 0:
        raise ConfigError(f"{document.path}: unfolds to more than {MAX_NODES} values")
    if isinstance(node, yaml.ScalarNode):
        return None if node.tag.endswith(":null") and not node.style else node.value
    if isinstance(node, yaml.SequenceNode):
        return [
            _text(document, item, (*place, i), budget)
            for i, item in enumerate(node.value)
        ]
    found: dict[str, object] = {}
    for key, item in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else "?"
        if name in found:
            line = key.start_mark.line + 1
            document.faults.append(
                Fault(
                    file=str(document.path),
                    line=line,
                    place=place_text((*place, name)),
                    message="is given twice",
                )
            )
            continue
        found[name] = _text(document, item, (*place, name), budget)
    return found
