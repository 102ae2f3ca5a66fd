"""The page of the simulated homes: statistics beside captured ones, agreement, cost."""

from collections.abc import Iterator, Mapping

_ROWS = (
    ("flows", "flows"),
    ("hours", "hours"),
    ("flows an hour", "flows an hour"),
    ("distinct remote addresses", "remote addresses"),
    ("distinct ports of servers", "ports of servers"),
)
_SHARES = ("TCP", "UDP", "DNS", "one side only", "a single packet")
_SPREADS = (
    ("duration_s", "duration, s"),
    ("packets", "packets"),
    ("ip_bytes_of_the_opener", "IP bytes of the opener"),
    ("ip_bytes_of_the_other", "IP bytes of the other"),
    ("s_from_flow_to_flow", "s from flow to flow"),
)
_HEAD = """# Homes: what their flows look like

Made by `python -m tests.bench.homes` in one run, at commit {commit}; what is simulated,
and how, is on [the page of homes](homes.md). Simulated columns: {homes} homes, {days}
days, seed {seed}, benign traffic only. Captured columns: public data, benign only, not
shipped. Both are metered with the timeouts of the program that made the captured
flows, so that a record means the same on both sides; IPv4 only; bytes are IP bytes,
which of Joy's records are reckoned from payload and plain heads
([flow records](flows.md)). Records without packets are left out.
Spreads are 10 % / 50 % / 90 % / 99 %. Captured sets are one home each,
minutes to hours long; hub and camera are of other makes than the simulated ones.
"""


def page(found: Mapping) -> str:
    """Return the page of a result."""
    lines = [_HEAD.format(**found)]
    for row in found["sets"]:
        lines += _set(row)
    if "agreement" in found:
        lines += _agreement(found["agreement"])
    if "cost" in found:
        lines += _cost(found["cost"])
    return "\n".join(lines) + "\n"


def _set(row: Mapping) -> Iterator[str]:
    yield f"## {row['set']}\n"
    limit = "no" if row["active_s"] > 1e5 else f"{row['active_s']:.0f} s"
    yield f"Idle timeout {row['idle_s']:.0f} s, {limit} active timeout.\n"
    device = row["simulated_device"]
    yield f"| | captured: {row['of']} | simulated: homes with `{device}` |"
    yield "|---|--:|--:|"
    sides = (row["captured"], row["simulated"])
    for key, name in _ROWS:
        yield f"| {name} | " + " | ".join(f"{side[key]:,}" for side in sides) + " |"
    for key in _SHARES:
        shares = " | ".join(f"{side['share'][key]:.3f}" for side in sides)
        yield f"| share: {key} | {shares} |"
    for key, name in _SPREADS:
        cells = (
            " / ".join(f"{value:,.4g}" for value in side[key].values())
            for side in sides
        )
        yield f"| {name} | " + " | ".join(cells) + " |"
    yield ""


def _agreement(rows: list[Mapping]) -> Iterator[str]:
    yield "## The short way and the long one\n"
    yield "All simulated. The same exchanges of the house, once by packets of the fast"
    yield "lab, once by the columns of the homes; both metered alike (60 s, 15 s).\n"
    yield "| device, hours | what | by packets | by columns | differs by |"
    yield "|---|---|--:|--:|--:|"
    for row in rows:
        where = f"`{row['device']}`, {row['hours']} h"
        for name, (long, short) in row["figures"].items():
            share = (short - long) / long if long else 0.0
            yield f"| {where} | {name} | {long:,.6g} | {short:,.6g} | {share:+.1%} |"
    yield ""


def _cost(cost: Mapping) -> Iterator[str]:
    yield "## Cost\n"
    yield f"`{cost['command']}`:\n{cost['records']:,} flow records in"
    yield f"{cost['wall_s']:.0f} s on a busy machine, {cost['cpu_s']:.0f} s of"
    yield f"processor time on one core, {cost['peak_mib']:.0f} MiB at most,"
    yield f"{cost['written_mb']:.0f} MB written."
