"""Make `.venv-bench`: the libraries that we are compared with, apart from our own.

    python -m tests.bench.environment

A library that cannot be installed does not stop the others; `make bench` says of it
that it is missing, and why.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".venv-bench"
PYTHON = FOLDER / "bin" / "python"
LOCK = Path(__file__).with_name("requirements.lock")
LIBRARIES = ("dpkt", "scapy", "nfstream")
_FAULTS = FOLDER / "faults.json"
_STAMP = FOLDER / "stamp"


def faults() -> dict[str, str]:
    """Return why a library is not installed, by its name."""
    if not PYTHON.exists():
        return dict.fromkeys(LIBRARIES, "no .venv-bench; `make bench` makes it")
    return json.loads(_FAULTS.read_text()) if _FAULTS.exists() else {}


def _uv(*words: str) -> str:
    """Run uv; return what is wrong, in one line, or nothing."""
    command = [str(Path(sys.executable).with_name("uv")), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lines = done.stderr.strip().splitlines() or [f"uv failed with {done.returncode}"]
    return lines[-1].strip() if done.returncode else ""


def set_up() -> dict[str, str]:
    """Make the environment when it is missing or out of date; return the faults."""
    stamp = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    if _STAMP.exists() and _STAMP.read_text() == stamp and not faults():
        return {}
    fault = _uv("venv", "-q", "--clear", "--python", sys.executable, str(FOLDER))
    found = dict.fromkeys(LIBRARIES, fault) if fault else {}
    into = ("pip", "install", "-q", "--python", str(PYTHON), "--require-hashes")
    if not fault and _uv(*into, "-r", str(LOCK)):
        for name in LIBRARIES:  # one by one, at the same versions
            if reason := _uv(*into, "-c", str(LOCK), f"{name}=={_locked(name)}"):
                found[name] = reason
    if not fault:
        _FAULTS.write_text(json.dumps(found))
        _STAMP.write_text(stamp)
    return found


def _locked(name: str) -> str:
    lines = LOCK.read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(f"{name}==")]
    return line.split("==")[1].split()[0]


def main() -> None:
    """Set up; say what is missing."""
    for name, reason in set_up().items():
        print(f"{name}: cannot be installed: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
