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

    def fault(
        self, place: Place, message: str, *, at_key: bool = False, absent: bool = False
    ) -> None:
        """Note a fault at a place.

        Levels that only the typed model has (a shorthand stands for them) are left out
        of the place. `at_key` means the line of the key rather than of its value;
        `absent` that the last part is what is missing.
        """
        parent = place[:-1] if absent else place
        line, found = self._locate(parent, at_key=at_key)
        text = place_text((*found, *place[-1:]) if absent else found)
        self.faults.append(
            Fault(file=str(self.path), line=line, place=text, message=message)
        )

    def _locate(self, place: Place, *, at_key: bool) -> tuple[int, Place]:
        """Return the line of a place, and the parts of it that are in the text."""
        node, line = self.root, 1
        found: list[str | int] = []
        if node is not None:
            line = node.start_mark.line + 1
        for part in place:
            following = _child(node, part)
            if following is None:
                continue
            key, node = following
            found.append(part)
            last = part is place[-1]
            line = (key if at_key and last else node).start_mark.line + 1
        return line, tuple(found)


def _child(
    node: yaml.Node | None, part: str | int
) -> tuple[yaml.Node, yaml.Node] | None:
    """Return key and value of a part of a node; an entry of a list is its own key."""
    if isinstance(node, yaml.MappingNode):
        return next((pair for pair in node.value if pair[0].value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        entry = node.value[part] if part < len(node.value) else None
        return (entry, entry) if entry is not None else None
    return None


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
