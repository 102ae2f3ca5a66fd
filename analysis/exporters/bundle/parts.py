"""Archive parts for a repository: zip files that each can be opened alone.

Files are stored, not packed: most of a capture is encrypted, and what packs it differs
from version to version. What is larger than a part is cut into slices.
"""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import BinaryIO

from analysis.exporters.bundle.work import files_in, sha256_of, write_text

SUMS = "parts.sha256"
READ_ME = "README.txt"
_STAMP = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16
_PIECE_B = 1 << 20
_END_B = 4096  # of the directory of an archive
_ENTRY_B = 256  # of an entry, besides twice its name
LEAST_B = 1 << 20
Entry = tuple[Path, str, int, int]  # file, name in the archive, from byte, bytes


def write_parts(
    bag: Path, name: str, target: Path, most_b: int, told: Callable[[int], None]
) -> list[Path]:
    """Write an archive of a bag as parts of at most `most_b` bytes; return them.

    name  of the folder that unpacking gives
    """
    target.mkdir(parents=True, exist_ok=True)
    for old in target.iterdir():
        old.unlink()  # of an attempt that was killed
    groups = list(_grouped(_entries(bag, name, most_b), most_b))
    width = max(2, len(str(len(groups))))
    made = []
    for number, entries in enumerate(groups, start=1):
        path = target / f"{name}-{number:0{width}}.zip"
        _write_zip(path, entries, told)
        made.append(path)
    sums = "".join(f"{sha256_of(path, told)}  {path.name}\n" for path in made)
    sliced = sorted({e[1].rpartition(".slice-")[0] for g in groups for e in g} - {""})
    made.append(write_text(target / READ_ME, _read_me(name, sliced)))
    # strangers run what it says: it has to be as it was written, too
    sums += f"{sha256_of(made[-1])}  {READ_ME}\n"
    made.append(write_text(target / SUMS, sums))
    return made


def _entries(bag: Path, name: str, most_b: int) -> Iterator[Entry]:
    """Yield what goes into the archive, cut where it would not fit."""
    for path in files_in(bag):
        place = f"{name}/{path.relative_to(bag).as_posix()}"
        size_b = path.stat().st_size
        room_b = most_b - _END_B - _entry_b(place + ".slice-000")
        if size_b <= room_b:
            yield path, place, 0, size_b
            continue
        firsts = range(0, size_b, room_b)
        width = max(3, len(str(len(firsts))))  # a shell puts them in order of letters
        for number, first in enumerate(firsts, start=1):
            cut = f"{place}.slice-{number:0{width}}"
            yield path, cut, first, min(room_b, size_b - first)


def _grouped(entries: Iterator[Entry], most_b: int) -> Iterator[Sequence[Entry]]:
    """Yield what shares a part, in order."""
    group: list[Entry] = []
    used_b = _END_B
    for entry in entries:
        size_b = entry[3] + _entry_b(entry[1])
        if group and used_b + size_b > most_b:
            yield group
            group, used_b = [], _END_B
        group.append(entry)
        used_b += size_b
    if group:
        yield group


def _entry_b(place: str) -> int:
    return _ENTRY_B + 2 * len(place.encode())


def _write_zip(
    path: Path, entries: Sequence[Entry], told: Callable[[int], None]
) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for source, place, first, size_b in entries:
            about = zipfile.ZipInfo(place, _STAMP)
            about.external_attr = _MODE
            about.create_system = 3  # files have the modes of Unix, wherever made
            about.file_size = size_b
            with source.open("rb") as file, archive.open(about, "w") as out:
                file.seek(first)
                for piece in _pieces(file, size_b):
                    out.write(piece)
                    told(len(piece))


def _pieces(file: BinaryIO, size_b: int) -> Iterator[bytes]:
    while size_b and (piece := file.read(min(size_b, _PIECE_B))):
        size_b -= len(piece)
        yield piece


def _read_me(name: str, sliced: Sequence[str]) -> str:
    lines = [
        "Parts of one archive. Check them, unpack all of them in one folder:",
        "",
        f"    sha256sum -c {SUMS}",
        f'    for part in {quote(name)}-*.zip; do unzip -q "$part"; done',
    ]
    if sliced:
        lines += ["", "Files larger than a part are in slices; put them together:", ""]
        lines += [
            f"    cat {each}.slice-* > {each} && rm {each}.slice-*"
            for each in map(quote, sliced)
        ]
    return (
        "\n".join([*lines, "", f"The dataset is then in {name}/; see data/README.md."])
        + "\n"
    )
