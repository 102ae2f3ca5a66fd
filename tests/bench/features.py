"""Features of windows: all at once, one live, and over packets that come in pieces.

    python -m tests.bench.features [--packets N] [--windows K] [--json]

Times are CPU seconds, medians of rounds in one process, after a first call that loads
the kernels. The naive twin, numpy and scipy per window and direction, is measured on
few windows.
"""

import argparse
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
from scipy import stats

from analysis.features.chunks import features_over
from analysis.features.matrix import feature_names, features_of, window_features
from analysis.features.sequence import n_columns, sequence_of, window_sequence

ROUNDS = 9
CHUNK = 65_536
PERCENT = np.arange(10, 100, 10)
_COLUMNS = ("time_ns", "length_b", "outbound", "destination")


def median_s(function: Callable[[], object], repeat: int = 1) -> float:
    """Return the median over rounds of the CPU seconds of one call."""
    function()
    taken = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(repeat):
            function()
        taken.append((time.process_time() - start) / repeat)
    return statistics.median(taken)


def made(n_packets: int, n_windows: int) -> tuple[SimpleNamespace, SimpleNamespace]:
    """Return packets, 40 ms apart on average, and windows that hold all of them."""
    rng = np.random.default_rng(1)
    size = rng.choice((60, 66, 130, 590, 1474), n_packets) + rng.integers(
        0, 40, n_packets
    )
    packets = SimpleNamespace(
        time_ns=np.cumsum(rng.exponential(0.04, n_packets) * 1e9).astype(np.int64),
        length_b=size.astype(np.uint32),
        outbound=rng.random(n_packets) < 0.45,
        destination=rng.integers(0, 8, n_packets).astype(np.uint8),
    )
    each = n_packets // n_windows
    first = np.arange(n_windows) * each
    last = first + each
    windows = SimpleNamespace(
        first=first,
        last=last,
        start_ns=packets.time_ns[first],
        end_ns=packets.time_ns[last - 1] + 1,
    )
    return packets, windows


def pieces(packets: SimpleNamespace) -> Iterator[SimpleNamespace]:
    """Return the packets in chunks of CHUNK."""
    for at in range(0, packets.time_ns.size, CHUNK):
        columns = vars(packets).items()
        yield SimpleNamespace(**{k: v[at : at + CHUNK] for k, v in columns})


def naive(packets: SimpleNamespace, windows: SimpleNamespace, k: int) -> None:
    """Compute moments and percentiles of k windows as one would write them down."""
    for a, b in zip(windows.first[:k], windows.last[:k], strict=True):
        out = packets.outbound[a:b]
        for chosen in (~out, out, out | True):
            sizes = packets.length_b[a:b][chosen]
            gaps = np.diff(packets.time_ns[a:b][chosen]) / 1e9
            for values in (sizes, gaps):
                values.mean(), values.var(), stats.skew(values), stats.kurtosis(values)
                np.percentile(values, PERCENT)


def live_s(packets: SimpleNamespace, n: int) -> float:
    """Return the CPU seconds of one window of n packets through the live entry."""
    window = (packets.time_ns[:n], packets.length_b[:n], packets.outbound[:n])
    start_ns, end_ns = int(packets.time_ns[0]), int(packets.time_ns[n])
    return median_s(lambda: window_features(*window, start_ns, end_ns), repeat=300)


def live_sequence_s(packets: SimpleNamespace, n: int) -> float:
    """Return the CPU seconds of the sequence of one window of n packets, live."""
    window = [getattr(packets, name)[:n] for name in _COLUMNS]
    start_ns, end_ns = int(packets.time_ns[0]), int(packets.time_ns[n])
    return median_s(lambda: window_sequence(*window, start_ns, end_ns), repeat=300)


def over_peak_mib(packets: SimpleNamespace, windows: SimpleNamespace) -> float:
    """Return the most that Python and numpy held beside packets and results."""
    tracemalloc.start()
    _names, x, _n, sequence = features_over(pieces(packets), windows)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    cells = (sequence.data, sequence.indices, sequence.indptr)
    return (peak - x.nbytes - sum(each.nbytes for each in cells)) / 2**20


def features_bench(n_packets: int, n_windows: int) -> dict[str, object]:
    """Return the figures, ready for JSON."""
    packets, windows = made(n_packets, n_windows)
    whole_s = median_s(lambda: features_of(packets, windows))
    over_s = median_s(lambda: features_over(pieces(packets), windows))
    sequence_s = median_s(lambda: sequence_of(packets, windows))
    few = min(50, n_windows)
    start = time.process_time()
    naive(packets, windows, few)
    naive_s = (time.process_time() - start) / few
    return {
        "what": "features of windows",
        "n_packets": n_packets,
        "n_windows": n_windows,
        "n_features": len(feature_names()),
        "rounds": ROUNDS,
        "features_of_cpu_s": whole_s,
        "features_of_mpkt_per_s": n_packets / whole_s / 1e6,
        "features_of_us_per_window": whole_s / n_windows * 1e6,
        "n_sequence_columns": n_columns(),
        "sequence_of_mpkt_per_s": n_packets / sequence_s / 1e6,
        "features_over_mpkt_per_s": n_packets / over_s / 1e6,
        "features_over_peak_mib": over_peak_mib(packets, windows),
        "naive_us_per_window": naive_s * 1e6,
        "times_naive": naive_s / (whole_s / n_windows),
        **{
            f"live_us_{n}_packets": live_s(packets, n) * 1e6
            for n in (50, 200, 1000, 10_000)
            if n < n_packets
        },
        **{
            f"live_sequence_us_{n}_packets": live_sequence_s(packets, n) * 1e6
            for n in (50, 200, 1000)
            if n < n_packets
        },
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--windows", type=int, default=5_000)
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    figures = features_bench(chosen.packets, chosen.windows)
    if chosen.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:28}", f"{value:.4g}" if isinstance(value, float) else value)


if __name__ == "__main__":
    main()
