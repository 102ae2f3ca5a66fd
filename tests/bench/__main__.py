"""`make bench`: ratios, measured side by side in one run, written as JSON.

    python -m tests.bench [--packets N] [--out FILE]

Times of one machine say little; each figure is the time of our code beside that of
tshark for the same file, in the same run, by turns.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.workload import MAC, write_capture

ROOT = Path(__file__).parents[2]
FIELDS = ("frame.time_epoch", "frame.len", "ip.src", "ip.dst", "tcp.srcport")
OURS = """
from pathlib import Path
from analysis.dataset import Device
from analysis.packets import read_tables, write_packets
import sys
device = Device(name="dut", mac=sys.argv[2])
tables, _ = read_tables([Path(sys.argv[1])], (device,))
write_packets(Path(sys.argv[3]), tables["dut"])
"""


def cpu_s(command: list[str]) -> float:
    """Run a program; return the CPU seconds (user and system) that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command,
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def packets_against_tshark(n_packets: int, rounds: int = 3) -> dict[str, object]:
    """Compare capture -> packet table with `tshark -T fields` by CPU seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        capture = folder / "made.pcapng"
        write_capture(capture, n_packets)
        fields = [word for field in FIELDS for word in ("-e", field)]
        tshark = ["tshark", "-n", "-r", str(capture), "-T", "fields", *fields]
        ours = [sys.executable, "-c", OURS, str(capture), MAC, str(folder)]
        pairs = [(cpu_s(ours), cpu_s(tshark)) for _ in range(rounds)]
    return {
        "what": "capture to Parquet packet table, against tshark -T fields",
        "n_packets": n_packets,
        "rounds": rounds,
        "ours_cpu_s": round(statistics.median(o for o, _ in pairs), 3),
        "tshark_cpu_s": round(statistics.median(t for _, t in pairs), 3),
        "ratio": round(statistics.median(t / o for o, t in pairs), 2),
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packets", type=int, default=300_000)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench.json")
    given = parser.parse_args()
    found = {
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "results": [packets_against_tshark(given.packets)],
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found["results"], indent=2))
    print(f"bench: {given.out}")


if __name__ == "__main__":
    main()
