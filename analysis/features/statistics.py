"""Statistics of the packets of many windows: one kernel per family, no packet copied.

Window i holds the packets of rows [first[i], last[i]). Definitions are pinned:
population variance, biased skew, excess kurtosis, linear percentiles (the defaults of
numpy and scipy). Times are taken as whole nanoseconds and become seconds at the end.

An empty group has 0 for every statistic, and a group without spread (one value, or all
equal) has skew and kurtosis 0, where scipy says NaN: classifiers need finite numbers,
and the count of packets, which is a feature as well, tells the cases apart.

first, last  (k,) int64, 0 <= first <= last <= n
time_ns      (n,) int64, within a window not decreasing
length_b     (n,) uint32
outbound     (n,) bool
"""

import numpy as np

from analysis.features.model import Bool, Float64, Int64, UInt32
from analysis.pcap.jit import kernel

Int = int | np.int64  # what numba makes one of

IN, OUT, BOTH = 0, 1, 2  # the order of `Direction`
N_STATISTICS = 13  # mean, variance, skew, kurtosis, p10 ... p90
_FEW = 48  # up to here, sorting by insertion is faster than by digits
_EPSILON = float(np.finfo(np.float64).eps)


@kernel
def ranges_fit(first: Int64, last: Int64, n: Int) -> bool:
    """Tell whether each window is a range of rows of n packets."""
    wrong = 0
    for i in range(first.size):
        wrong += not 0 <= first[i] <= last[i] <= n
    return wrong == 0


@kernel
def is_sorted(values: Int64) -> bool:
    """Tell whether no value is lower than the one before it."""
    wrong = 0
    for i in range(1, values.size):
        wrong += values[i] < values[i - 1]
    return wrong == 0


@kernel
def size_statistics(
    first: Int64, last: Int64, length_b: UInt32, outbound: Bool
) -> Float64:
    """Return (k, 39) float64: 13 statistics of sizes in, out, both, in bytes."""
    out = np.zeros((first.size, 3 * N_STATISTICS))
    m = _longest(first, last)
    values, spare = np.empty((3, m), np.int64), np.empty(m, np.int64)
    for i in range(first.size):
        n = last[i] - first[i]
        n_out = _split_sizes(length_b, outbound, first[i], n, values)
        _describe(values[IN, : n - n_out], spare, 1.0, out[i, :N_STATISTICS])
        _describe(values[OUT, :n_out], spare, 1.0, out[i, N_STATISTICS:])
        _describe(values[BOTH, :n], spare, 1.0, out[i, 2 * N_STATISTICS :])
    return out


@kernel
def gap_statistics(
    first: Int64, last: Int64, time_ns: Int64, outbound: Bool
) -> Float64:
    """Return (k, 39) float64: 13 statistics of gaps in, out, both, in seconds.

    A gap lies between two neighbours of one direction within a window.
    """
    out = np.zeros((first.size, 3 * N_STATISTICS))
    m = _longest(first, last)
    values, spare = np.empty((3, m), np.int64), np.empty(m, np.int64)
    for i in range(first.size):
        n = last[i] - first[i]
        n_out = _split_gaps(time_ns, outbound, first[i], n, values)
        n_in = n - n_out  # place 0 of each row holds no gap
        _describe(values[IN, 1:n_in], spare, 1e9, out[i, :N_STATISTICS])
        _describe(values[OUT, 1:n_out], spare, 1e9, out[i, N_STATISTICS:])
        _describe(values[BOTH, 1:n], spare, 1e9, out[i, 2 * N_STATISTICS :])
    return out


@kernel
def amounts(first: Int64, last: Int64, length_b: UInt32, outbound: Bool) -> Float64:
    """Return (k, 6) float64: packets and bytes of the directions in, out, both."""
    out = np.zeros((first.size, 6))
    for i in range(first.size):
        n_out, out_b, both_b = np.int64(0), np.int64(0), np.int64(0)
        for row in range(first[i], last[i]):
            size, sent = np.int64(length_b[row]), np.int64(outbound[row])
            n_out += sent
            out_b += size * sent
            both_b += size
        n = last[i] - first[i]
        out[i, 0], out[i, 1] = n - n_out, both_b - out_b
        out[i, 2], out[i, 3] = n_out, out_b
        out[i, 4], out[i, 5] = n, both_b
    return out


@kernel
def first_and_last_s(
    first: Int64, last: Int64, time_ns: Int64, outbound: Bool, start_ns: Int64
) -> Float64:
    """Return (k, 6) float64: seconds from the start to the first and last packet.

    The columns are first and last of the directions in, out, both; -1 without a packet.
    """
    out = np.full((first.size, 6), -1.0)
    for i in range(first.size):
        for row in range(first[i], last[i]):
            since_s = (time_ns[row] - start_ns[i]) / 1e9
            at = 2 * np.int64(outbound[row])
            if out[i, at] < 0:
                out[i, at] = since_s
            out[i, at + 1] = since_s
            if row == first[i]:
                out[i, 4] = since_s
            out[i, 5] = since_s
    return out


@kernel
def reply_s(first: Int64, last: Int64, time_ns: Int64, outbound: Bool) -> Float64:
    """Return (k,) float64: seconds from the first outgoing packet to its reply.

    The reply is the first incoming packet that is not earlier; -1 without one.
    """
    out = np.full(first.size, -1.0)
    for i in range(first.size):
        asked = first[i]
        while asked < last[i] and not outbound[asked]:
            asked += 1
        if asked == last[i]:
            continue
        row = asked
        while row > first[i] and time_ns[row - 1] == time_ns[asked]:
            row -= 1  # what came in at the same instant counts, whatever its place
        while row < last[i] and outbound[row]:
            row += 1
        if row < last[i]:
            out[i] = (time_ns[row] - time_ns[asked]) / 1e9
    return out


@kernel
def _longest(first: Int64, last: Int64) -> Int:
    """Return how many packets the fullest window holds."""
    longest = np.int64(0)
    for i in range(first.size):
        longest = max(longest, last[i] - first[i])
    return longest


@kernel
def _split_sizes(
    length_b: UInt32, outbound: Bool, first: Int, n: Int, values: Int64
) -> Int:
    """Put the sizes of each direction into its row; return how many went out."""
    n_out = np.int64(0)
    for j in range(n):
        size, sent = np.int64(length_b[first + j]), np.int64(outbound[first + j])
        values[IN, j - n_out] = size  # the wrong one of the two is written over
        values[OUT, n_out] = size
        values[BOTH, j] = size
        n_out += sent
    return n_out


@kernel
def _split_gaps(
    time_ns: Int64, outbound: Bool, first: Int, n: Int, values: Int64
) -> Int:
    """Put gaps of each direction into its row from place 1; return how many went out.

    The place of a packet is its number within its direction; what stands at place 0 is
    the time to a packet that does not exist.
    """
    n_out, last_in, last_out = np.int64(0), np.int64(0), np.int64(0)
    for j in range(n):
        now, sent = time_ns[first + j], outbound[first + j]
        values[IN, j - n_out] = now - last_in
        values[OUT, n_out] = now - last_out
        values[BOTH, j] = now - time_ns[first + max(j - 1, 0)]
        last_in = last_in if sent else now
        last_out = now if sent else last_out
        n_out += np.int64(sent)
    return n_out


@kernel
def _describe(values: Int64, spare: Int64, scale: float, out: Float64) -> None:
    """Write mean, variance, skew, kurtosis, p10 ... p90 of values / scale; sort values.

    values  (n,) int64, not negative; n may be 0
    out     (>= 13,) float64, zeros
    """
    if values.size == 0:
        return
    _moments(values, scale, out)
    _sort(values, spare)
    _percentiles(values, scale, out)


@kernel
def _moments(values: Int64, scale: float, out: Float64) -> None:
    total = np.int64(0)
    for value in values:
        total += value
    mean = total / values.size
    second, third, fourth = 0.0, 0.0, 0.0
    for value in values:
        apart = value - mean
        square = apart * apart
        second += square
        third += square * apart
        fourth += square * square
    second /= values.size
    out[0], out[1] = mean / scale, second / (scale * scale)
    # the same limit as scipy.stats.skew: below it, differences are rounding errors
    if second > (_EPSILON * mean) ** 2:
        out[2] = third / values.size / (second * np.sqrt(second))
        out[3] = fourth / values.size / (second * second) - 3.0


@kernel
def _percentiles(ordered: Int64, scale: float, out: Float64) -> None:
    top = ordered.size - 1
    for tenth in range(1, 10):
        rank = top * (tenth * 10.0 / 100.0)
        below = int(rank)
        low, high = ordered[below] / scale, ordered[min(below + 1, top)] / scale
        out[3 + tenth] = low + (high - low) * (rank - below)


@kernel
def _sort(values: Int64, spare: Int64) -> None:
    """Sort values >= 0 in place."""
    if values.size <= _FEW:
        _sort_few(values)
    else:
        _sort_by_digits(values, spare[: values.size])


@kernel
def _sort_few(values: Int64) -> None:
    for i in range(1, values.size):
        value, j = values[i], i
        while j > 0 and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value


@kernel
def _sort_by_digits(values: Int64, spare: Int64) -> None:
    """Sort by each byte from the lowest on, which takes no comparison."""
    highest = np.int64(0)
    for value in values:
        highest = max(highest, value)
    shift, swapped = 0, False
    places = np.empty(256, np.int64)
    while shift < 64 and highest >> shift:
        if swapped:
            _sort_by_byte(spare, values, shift, places)
        else:
            _sort_by_byte(values, spare, shift, places)
        swapped, shift = not swapped, shift + 8
    if swapped:
        values[:] = spare


@kernel
def _sort_by_byte(source: Int64, target: Int64, shift: Int, places: Int64) -> None:
    places[:] = 0
    for value in source:
        places[(value >> shift) & 255] += 1
    place = np.int64(0)
    for digit in range(256):
        count = places[digit]
        places[digit] = place
        place += count
    for value in source:
        digit = (value >> shift) & 255
        target[places[digit]] = value
        places[digit] += 1
