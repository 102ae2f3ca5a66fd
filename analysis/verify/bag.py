"""A BagIt bag (RFC 8493): nothing is missing, changed, renamed or too much."""

from pathlib import Path

from analysis.verify.model import Findings
from analysis.verify.sums import Digests, compare, load_sums

DECLARATION = "bagit.txt"
INFO = "bag-info.txt"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
PAYLOAD = "data"
_DECLARED = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_OXUM = "Payload-Oxum"


def check_bag(bag: Path, found: Findings, digests: Digests) -> None:
    """Compare a bag with its manifests, both ways; first what holds the manifest."""
    data = bag / PAYLOAD
    payload = dict.fromkeys(digests.below(data))
    tags = [path for path in digests.files if path not in payload]
    sums = load_sums(bag / TAG_MANIFEST, found, escaped=True)
    if sums is not None:
        named = [path for path in tags if path != bag / TAG_MANIFEST]
        compare(found, digests, bag / TAG_MANIFEST, sums, named)
    with found.guarded(bag / DECLARATION):
        if (bag / DECLARATION).read_text(encoding="utf-8") != _DECLARED:
            found.fault(bag / DECLARATION, "does not declare BagIt 1.0 in UTF-8")
    sums = load_sums(bag / MANIFEST, found, escaped=True)
    if sums is not None:
        for name in [name for name in sums if not name.startswith(f"{PAYLOAD}/")]:
            found.fault(bag / MANIFEST, f"names {name}, which is not of the payload")
            del sums[name]
        compare(found, digests, bag / MANIFEST, sums, payload)
    size_b = sum(digests.files[path] for path in payload)
    _check_info(bag / INFO, found, f"{size_b}.{len(payload)}")


def _check_info(path: Path, found: Findings, oxum: str) -> None:
    with found.guarded(path):
        told = []
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            name, colon, value = line.partition(": ")
            if not colon and not line.startswith((" ", "\t")):
                found.fault(path, "is not 'Name: value'", f"line {number}")
            if name == _OXUM:
                told.append(value)
        if told != [oxum]:
            said = ", ".join(told) or "nothing"
            what = f"must be {oxum}, the payload's bytes and files; it says {said}"
            found.fault(path, what, _OXUM)
