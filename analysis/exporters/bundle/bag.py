"""A BagIt bag (RFC 8493): what lies in it, and that it is whole."""

from collections.abc import Mapping
from pathlib import Path

from analysis.exporters.bundle.work import write_text

_MANIFEST = "manifest-sha256.txt"
_TAG_MANIFEST = "tagmanifest-sha256.txt"


def write_bag(bag: Path, digests: Mapping[str, str], info: Mapping[str, str]) -> None:
    """Write the files around a payload; return nothing: they follow from it.

    digests  path within `data/` -> SHA-256
    info     what bag-info.txt says, one line each
    """
    from analysis.exporters.bundle.work import sha256_of

    texts = {
        "bagit.txt": "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": "".join(f"{name}: {info[name]}\n" for name in sorted(info)),
        _MANIFEST: "".join(
            f"{digest}  data/{_escaped(name)}\n" for name, digest in digests.items()
        ),
    }
    for name, text in texts.items():
        write_text(bag / name, text)
    lines = (f"{sha256_of(bag / name)}  {name}\n" for name in sorted(texts))
    write_text(bag / _TAG_MANIFEST, "".join(lines))


def _escaped(name: str) -> str:
    """Write line ends and percent signs as the standard wants it."""
    for char, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        name = name.replace(char, code)
    return name
