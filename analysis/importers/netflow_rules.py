"""Rules of netflowlabeler, and the labels that they give to a conn.log.

    rules = load_netflow_rules(path)
    label_conn_log(conn_log, rules, out)

A label, generic or generic and detailed, stands on a line of its own that ends with a
colon; below it lines begin with '-', of which one must be true, and each is made of
conditions that are parted by '&' and must all be true. The last label that is true
counts. Where the tool itself fails (fields that it knows by another name, '!=' of a
network) the rule means here what it says.
"""

import ipaddress
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import DatasetError, ImportDataError, named
from analysis.flows.conn_log import FIELDS, LABELS, conn_log_lines, write_head

Values = Mapping[str, str]
Check = Callable[[Values], bool]

_LABELS = (*LABELS, "detailedlabel")
_UNSET = ("-", "(empty)", "")
_NUMBERED = re.compile(r"\d+\s*-\s+")
_TERM = re.compile(r"\s*(\w+)\s*(!=|>=|<=|=|<|>)\s*(\S+)\s*")
_ALL = "all"
_COMPARED = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
# what rules call a field -> those of conn.log that it is the sum of, or the one
_TEXTS = {
    "start": "ts",
    "starttime": "ts",
    "proto": "proto",
    "appproto": "service",
    "state": "conn_state",
    "history": "history",
    "uid": "uid",
}
_ENDS = {"srcip": "id.orig_h", "dstip": "id.resp_h"}
_NUMBERS = {
    "srcport": ("id.orig_p",),
    "dstport": ("id.resp_p",),
    "duration": ("duration",),
    "dur": ("duration",),
    "bytes": ("orig_bytes", "resp_bytes"),
    "sbytes": ("orig_bytes",),
    "dbytes": ("resp_bytes",),
    "packets": ("orig_pkts", "resp_pkts"),
    "pkts": ("orig_pkts", "resp_pkts"),
    "spkts": ("orig_pkts",),
    "dpkts": ("resp_pkts",),
    "ipbytes": ("orig_ip_bytes", "resp_ip_bytes"),
    "orig_ip_bytes": ("orig_ip_bytes",),
    "resp_ip_bytes": ("resp_ip_bytes",),
    "missed_bytes": ("missed_bytes",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetflowRule:
    """A label, and sets of conditions of which one must be true."""

    generic: str
    detailed: str
    either: tuple[tuple[Check, ...], ...]

    def holds(self, values: Values) -> bool:
        """Say whether the label is that of a record."""
        return any(all(check(values) for check in every) for every in self.either)


class _TermError(ValueError):
    """A condition that cannot be; the message says why."""


def load_netflow_rules(path: Path) -> tuple[NetflowRule, ...]:
    """Read a file of rules. Raises ImportDataError with every fault found."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ImportDataError((f"{path}: cannot be read: {exc}",)) from exc
    faults: list[str] = []
    found: list[tuple[str, list[tuple[Check, ...]]]] = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if text.startswith("-") and found:
            try:
                found[-1][1].append(tuple(map(_check, text[1:].split("&"))))
            except _TermError as exc:
                faults.append(f"{path}: line {number}: {exc}")
        elif text.endswith(":"):
            found.append((_NUMBERED.sub("", text[:-1], count=1), []))
        elif text:
            what = "must be a label that ends with ':', or a condition below one"
            faults.append(f"{path}: line {number}: {what}")
    if not found and not faults:
        faults.append(f"{path}: holds no rule")
    if faults:
        raise ImportDataError(tuple(faults))
    return tuple(_rule(label, either) for label, either in found)


def _rule(label: str, either: Sequence[tuple[Check, ...]]) -> NetflowRule:
    generic, _, detailed = label.partition(",")
    return NetflowRule(
        generic=generic.strip(), detailed=detailed.strip(), either=tuple(either)
    )


def _check(text: str) -> Check:
    term = _TERM.fullmatch(text)
    if term is None:
        raise _TermError(f"a condition is FIELD=VALUE, got {text.strip()!r:.60}")
    name, sign, value = term[1].lower(), term[2], term[3]
    if value.lower() == _ALL:
        return lambda values: True
    if name in _NUMBERS:
        return _of_numbers(_NUMBERS[name], sign, value)
    if sign not in ("=", "!="):
        raise _TermError(f"{term[1]} is no number that could be {sign} another")
    if name in _ENDS:
        return _of_address(_ENDS[name], sign, value)
    if name in _TEXTS:
        field, wanted, equal = _TEXTS[name], value.lower(), sign == "="
        return lambda values: (values[field].lower() == wanted) is equal
    known = ", ".join(sorted({*_NUMBERS, *_ENDS, *_TEXTS}))
    raise _TermError(f"{term[1]} is no field of a conn.log; known are {known}")


def _of_numbers(fields: Sequence[str], sign: str, value: str) -> Check:
    try:
        wanted = float(value)
    except ValueError as exc:
        raise _TermError(f"{value!r:.40} is no number") from exc
    compare = _COMPARED[sign]
    return lambda values: bool(compare(sum(_number(values[f]) for f in fields), wanted))


def _number(text: str) -> float:
    try:
        return 0.0 if text in _UNSET else float(text)
    except ValueError:
        return float("nan")


def _of_address(field: str, sign: str, value: str) -> Check:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError as exc:
        raise _TermError(f"{value!r:.60} is no address or network") from exc
    equal = sign == "="
    return lambda values: _is_in(values[field], network) is equal


def _is_in(text: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(text) in network
    except ValueError:
        return False


def label_of(rules: Sequence[NetflowRule], values: Values) -> tuple[str, str]:
    """Return label and detailed label of a record, '' where there is none."""
    for rule in reversed(rules):
        if rule.holds(values):
            return rule.generic, rule.detailed
    return "", ""


def label_conn_log(
    conn_log: Path, rules: Sequence[NetflowRule], out: Path
) -> dict[str, int]:
    """Write a conn.log with the labels that rules give; return records per label.

    Raises DatasetError with the line that is wrong.
    """
    counts: dict[str, int] = {}
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f"{out.name}.part")
    try:
        with named(out), part.open("w", encoding="utf-8", newline="\n") as file:
            for values, label in _labelled(conn_log, rules):
                if not counts:
                    types = {name: FIELDS.get(name, "string") for name in values}
                    write_head(file, {**types, **LABELS})
                texts = (*values.values(), *(text or "-" for text in label))
                file.write("\t".join(texts) + "\n")
                name = ", ".join(filter(None, label))
                counts[name] = counts.get(name, 0) + 1
            if not counts:
                write_head(file, {**FIELDS, **LABELS})
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return counts


def _labelled(
    conn_log: Path, rules: Sequence[NetflowRule]
) -> Iterator[tuple[Values, tuple[str, str]]]:
    """Yield values, without labels that were there, and the label by the rules."""
    for number, values in conn_log_lines(conn_log):
        try:
            label = label_of(rules, values)
        except KeyError as exc:
            reason = f"has no field {exc.args[0]}, which a rule asks for"
            raise DatasetError(f"{conn_log}: line {number}: {reason}") from exc
        own = {k: v for k, v in values.items() if k not in _LABELS}
        yield own, label
