"""What of a dataset can be changed without `verify` finding it.

    python -m tests.bench.tamper OUT.json --dataset DATASET [--flips 300] [--each 4]

Bytes of all kinds of files are flipped, as they are and with all manifests made anew;
and rows, labels, devices, tables and papers are changed in ways that make sense, with
all manifests made anew (`tests.bench.tamperings`). What `verify` does not find is put
before `reproduce`, where that looks at it.
"""

import argparse
import json
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.bench.signing import Bag, files_of
from tests.bench.tamperings import WAYS, Way

_RESULTS = ("results: tables", "results: figures", "results: page", "features")
_REPRODUCED = (
    "score in a table of results",
    "line of a figure",
    "seed of the recipe",
)
_BY = ("verify", "remark", "reproduce", "undone")  # the last: by signing itself
_SIGNED = ("manifests", "MANIFEST.sha256")
_SHOWN = 6  # examples of what was not found


class Silent:
    """Watches nothing."""

    def begin(self, step: str, total_b: int) -> None:
        """Hear nothing."""

    def read(self, size_b: int) -> None:
        """Hear nothing."""

    def end(self, step: str, note: str) -> None:
        """Hear nothing."""

    def tell(self, sentence: str) -> None:
        """Hear nothing."""


class Bench:
    """Copies of a dataset, and what is found in them.

    made  where it was reproduced once: a later call only compares
    """

    def __init__(self, dataset: Path, place: Path) -> None:
        self.dataset = dataset
        self.remarks: set[str] = set()
        self._place = place
        with self.copy() as bag:
            by, said = self.looked(bag)
            assert by != "verify", said
            self.remarks = {*said}

    @contextmanager
    def copy(self) -> Iterator[Bag]:
        """Give a copy, and remove it."""
        path = self._place / self.dataset.name
        yield Bag(Path(shutil.copytree(self.dataset, path)))
        shutil.rmtree(path)

    def looked(self, bag: Bag, *, quick: bool = False) -> tuple[str, list[str]]:
        """Return 'verify', 'remark' or '', and what `verify` says.

        Readers of others are left out; remarks count that the dataset did not have.
        """
        from analysis.verify import verify

        found = verify(bag.path, Silent(), quick=quick, readers=False)
        if found.faults:
            return "verify", [str(each) for each in found.faults]
        new = sorted({*found.remarks} - self.remarks)
        return "remark" if new else "", new

    def differs(self, bag: Bag) -> bool:
        """Say whether `reproduce` finds what was changed in what it compares."""
        from analysis.reproduce import Request, reproduce
        from testbed.cli.results import Remaker

        out = self._place / "again"
        request = Request(dataset=bag.path, out=out, makers=Remaker(1))
        return not reproduce(request, Silent()).alike


def kind_of(name: str) -> str:
    """Return the kind of a file, by its path within the bag."""
    parts, suffix = name.split("/"), name.rpartition(".")[2]
    if parts[0] != "data":
        return "manifests"
    if parts[1] == "campaigns":
        of_raw = "receipt" if name.endswith(".json") else "raw captures"
        known = {"raw": of_raw, "labelled": "labelled captures"}
        known |= {each: f"{each} tables" for each in ("packets", "flows")}
        return known.get(parts[3], parts[3])
    if parts[1] == "results":
        known = {"svg": "results: figures", "html": "results: page"}
        if parts[2] == "recipe.json":
            return "recipe"
        return "features" if suffix == "parquet" else known.get(suffix, _RESULTS[0])
    if parts[1] in ("ro-crate-metadata.json", "croissant.json"):
        return "metadata"
    return {"tables": "tables", "splits.json": "splits"}.get(parts[1], "papers")


def flip(bench: Bench, n: int, rng: random.Random, *, signed: bool) -> list[Any]:
    """Flip one bit at a time, as many in each kind of file; tell what is found."""
    bag = Bag(bench.dataset)
    by_kind: dict[str, list[str]] = {}
    for path in files_of(bag.path):
        name = path.relative_to(bag.path).as_posix()
        by_kind.setdefault(kind_of(name), []).append(name)
    if signed:  # these are made anew
        by_kind = {k: v for k, v in by_kind.items() if k not in _SIGNED}
    told = []
    kinds = sorted(by_kind)
    for number in range(n):
        kind = kinds[number % len(kinds)]
        name = rng.choice(by_kind[kind])
        told.append({"kind": kind, **_flipped(bench, name, rng, signed=signed)})
    return told


def _flipped(
    bench: Bench, name: str, rng: random.Random, *, signed: bool
) -> dict[str, Any]:
    with bench.copy() as bag:
        path = bag.path / name
        before = path.read_bytes()
        data = bytearray(before)
        at = rng.randrange(len(data))
        data[at] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        if signed:
            # a document that cannot be read any more cannot be signed
            with suppress(ValueError, KeyError):
                bag.sign()
            if path.read_bytes() == before:
                return {"what": f"{name}: byte {at}", "by": "undone", "said": []}
        by, faults = bench.looked(bag, quick=not signed)
        if not by and kind_of(name) in _RESULTS and bench.differs(bag):
            by = "reproduce"
    return {"what": f"{name}: byte {at}", "by": by, "said": faults[:1]}


def change(bench: Bench, way: Way, rng: random.Random) -> dict[str, Any]:
    """Change one thing, hide it, and tell what is found."""
    with bench.copy() as bag:
        what = way.change(bag, rng)
        derived = True
        if way.level != "manifests":
            derived = _derived(bag)
        bag.sign()
        by, faults = bench.looked(bag)
        if not by and way.name in _REPRODUCED and bench.differs(bag):
            by = "reproduce"
    note = {} if derived else {"note": "nothing could be derived"}
    return {"what": what, "by": by, "said": faults[:2], **note}


def _derived(bag: Bag) -> bool:
    from analysis.errors import AnalysisError

    try:
        bag.derive()
    except AnalysisError:
        return False  # no labels can be made of it: a fault by itself
    return True


def summed(told: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Return a row per kind: how many there were, and who found them."""
    rows: dict[str, dict[str, Any]] = {}
    for each in told:
        row = rows.setdefault(
            each[key], {key: each[key], "n": 0} | dict.fromkeys(_BY, 0)
        )
        row["n"] += 1
        if each["by"]:
            row[each["by"]] += 1
        else:
            missed = row.setdefault("missed", [])
            missed += [each["what"]] * (len(missed) < _SHOWN)
    return list(rows.values())


def measure(
    dataset: Path, flips: int, each: int, seed: int
) -> Iterator[dict[str, Any]]:
    """Yield the figures, as soon as there are more of them."""
    rng = random.Random(seed)
    figures: dict[str, Any] = {"seed": seed, "files": len(files_of(dataset))}
    with tempfile.TemporaryDirectory(prefix="bench-tamper-") as place:
        bench = Bench(dataset, Path(place))
        changed = [
            {"way": way.name, "level": way.level, **change(bench, way, rng)}
            for way in WAYS
            for _ in range(each)
        ]
        rows = [{**one, "way": f"{one['way']} ({one['level']})"} for one in changed]
        figures["changes"] = _rate(changed) | {"by_way": summed(rows, "way")}
        yield figures
        for name, signed in (("flips", False), ("flips_signed", True)):
            told = flip(bench, flips, rng, signed=signed)
            figures[name] = _rate(told) | {"by_kind": summed(told, "kind")}
            yield figures


def _rate(told: list[dict[str, Any]]) -> dict[str, Any]:
    by = [each["by"] for each in told]
    n = len(by)
    return {"n": n} | {name: by.count(name) for name in _BY}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--flips", type=int, default=300)
    parser.add_argument("--each", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    dataset = given.dataset.resolve()
    for figures in measure(dataset, given.flips, given.each, given.seed):
        text = json.dumps(figures, indent=1) + "\n"
        given.out.write_text(text, encoding="utf-8")
    print(given.out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
