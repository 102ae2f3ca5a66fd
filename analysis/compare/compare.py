"""Compare two campaigns, device by device, and test all of it at once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from analysis.compare.exchange import Answer, answer
from analysis.compare.facts import facts_of, inputs_of
from analysis.compare.hosts import Endpoints, anonymised, names_in
from analysis.compare.matching import Match, matched
from analysis.compare.model import (
    Asked,
    Comparison,
    Host,
    Kind,
    Tested,
    Transfer,
    Trials,
)
from analysis.compare.prints import Said, prints_in
from analysis.compare.questions import (
    Pair,
    Question,
    is_asked,
    numbered,
    pair_of,
    questions_of,
    tested,
)
from analysis.compare.transfer import classifiers_of, transfers_of
from analysis.compare.trials import same_windows, trials_of, unit_of
from analysis.dataset import Campaign
from analysis.errors import DatasetError
from analysis.evaluate.samples import Recorded, open_recorded

Told = Callable[[str], None]
Both = tuple[Recorded, Recorded]


def nobody(what: str) -> None:
    """Tell nobody what is done."""
    del what


def compare(a: Path, b: Path, asked: Asked, told: Told = nobody) -> Comparison:
    """Compare campaign B with campaign A; packet tables that miss are made first.

    Raises DatasetError when one cannot be read or they have nothing in common,
    LabelError when no activity lies in a capture, RequestError for an unknown
    classifier.
    """
    classifiers = classifiers_of(asked.classifiers)
    told("reading")
    opened = open_recorded(a), open_recorded(b)
    matches = matches_of(opened, asked.renamed)
    both = same_windows(opened, matches)
    compared = read_pairs(both, matches, told)
    told("tests")
    found = answered(compared.pairs, asked)
    tests = found.tests
    transfers: list[Transfer] = []
    called = dict(matches)
    for pair in compared.pairs:
        if classifiers:
            told(f"transfer of {pair.device}")
        names = pair.device, called[pair.device]
        transfers += transfers_of(both, names, classifiers, asked.seed)
    one, two = (each.campaign for each in both)
    return Comparison(
        a=one.name,
        b=two.name,
        asked=asked,
        unit=unit_of(both),
        units_a=found.units_a,
        units_b=found.units_b,
        n_exchanges=found.answer.n,
        exact=found.answer.exact,
        tests=tests,
        hosts=tuple(_hosts(compared.pairs, tests)),
        facts=facts_of(one, two, matches),
        transfers=tuple(transfers),
        only=compared.only,
        remarks=compared.remarks,
        identical=_identical(both),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What can be compared, what is in one of them alone, and what to know of it."""

    pairs: tuple[Pair, ...]
    only: tuple[str, ...]
    remarks: tuple[str, ...]


def matches_of(both: Both, asked: Sequence[Match]) -> tuple[Match, ...]:
    """Return which device of A is which of B. Raises DatasetError."""
    one, two = ([d.name for d in each.campaign.devices] for each in both)
    return matched(one, two, asked)


def read_pairs(
    both: Both, matches: Sequence[Match] | None = None, told: Told = nobody
) -> Compared:
    """Measure the trials of both. Raises DatasetError without a common activity.

    matches  which device is which, by default as their names say
    """
    matches = matches_of(both, ()) if matches is None else matches
    campaigns = both[0].campaign, both[1].campaign
    shared = [list(side) for side in zip(*matches, strict=True)] or [[], []]
    only = [
        f"{device.name}: in {side} only"
        for side, campaign, held in zip("AB", campaigns, shared, strict=True)
        for device in campaign.devices
        if device.name not in held
    ]
    endpoints, remarks = _endpoints(both, (shared[0], shared[1]))
    remarks += tuple(
        f"{two} of B is compared with {one} of A" for one, two in matches if one != two
    )
    said = [_prints(r, held) for r, held in zip(both, shared, strict=True)]
    by = unit_of(both)
    pairs = []
    for device, other in matches:
        told(device)
        one = trials_of(both[0], device, endpoints[0], by, said[0].get(device))
        two = trials_of(both[1], other, endpoints[1], by, said[1].get(other))
        two = replace(two, device=device)
        only += _unshared(device, one, two)
        pair = pair_of(one, two)
        if pair is not None:
            pairs.append(pair)
    if not pairs:
        reason = "have no labelled activity of a device in common: nothing to compare"
        raise DatasetError(f"{campaigns[0].name} and {campaigns[1].name} {reason}")
    return Compared(pairs=tuple(pairs), only=tuple(only), remarks=tuple(remarks))


def _unshared(device: str, one: Trials, two: Trials) -> Iterator[str]:
    held = set(one.stratum.tolist()), set(two.stratum.tolist())
    for name in sorted(held[0] ^ held[1]):
        yield f"{device} {name}: in {'A' if name in held[0] else 'B'} only"


def _identical(both: Both) -> bool:
    """Say whether both have the very same captures and the same activities."""
    one, two = ({c.digest for c in each.index.captures if c.digest} for each in both)
    logs = [each.log.frame.drop("campaign", strict=False) for each in both]
    return bool(one) and one == two and logs[0].equals(logs[1])


def _endpoints(
    both: Both, devices: tuple[Sequence[str], Sequence[str]]
) -> tuple[tuple[Endpoints, Endpoints], tuple[str, ...]]:
    """Return how hosts of both are called, and what cannot be compared of them."""
    policies = [anonymised(each.folder) for each in both]
    hidden = [policy for policy in policies if policy is not None]
    remarks = []
    if hidden:
        remarks.append(
            "addresses are under pseudonyms in "
            f"{' and '.join(_sides(policies))}: hosts without a name are compared by "
            "kind of place, protocol and port alone"
        )
    same_lab = _lab_of(both[0].campaign) == _lab_of(both[1].campaign)
    if not hidden and not same_lab:
        remarks.append(
            "the labs differ: addresses of the LAN are not compared, only port and "
            "protocol"
        )
    named = all(policy.get("names") != "pseudonym" for policy in hidden)
    if not named:
        remarks.append("names of hosts are under pseudonyms too: not compared")
    told = [
        _names(r, held) if named else {} for r, held in zip(both, devices, strict=True)
    ]
    mute = [side for side, names in zip("AB", told, strict=True) if not names]
    if named and len(mute) == 1:
        remarks.append(
            f"nothing in {mute[0]} tells names of hosts (those of twins do not): hosts "
            "are compared by kind of place, protocol and port alone"
        )
    alike = len(mute) != 1
    one, two = (
        Endpoints(
            names=names if alike else {},
            with_addresses=alike and not hidden,
            with_local=alike and not hidden and same_lab,
        )
        for names in told
    )
    return (one, two), tuple(remarks)


def _sides(policies: Sequence[Mapping[str, object] | None]) -> list[str]:
    return [n for n, policy in zip("AB", policies, strict=True) if policy is not None]


def _names(recorded: Recorded, devices: Sequence[str]) -> dict[str, str]:
    try:
        chosen = [recorded.campaign.device(name) for name in devices]
        return names_in(recorded.folder, chosen)
    except DatasetError:
        return {}  # packet tables without captures: nobody tells names


def _prints(recorded: Recorded, devices: Sequence[str]) -> Mapping[str, Said]:
    try:
        chosen = [recorded.campaign.device(name) for name in devices]
        return prints_in(recorded.folder, chosen)
    except DatasetError:
        return {}  # without captures nothing is said


def _lab_of(campaign: Campaign) -> tuple[str, str]:
    lab = inputs_of(campaign).get("lab")
    lab = lab if isinstance(lab, dict) else {}
    return str(lab.get("lab", campaign.name)), str(lab.get("home", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """All tests, in the order of devices, and how they were made.

    units_a, units_b  days (or sessions) of each campaign
    """

    tests: tuple[Tested, ...]
    answer: Answer
    units_a: int
    units_b: int


def answered(pairs: Sequence[Pair], asked: Asked) -> Answered:
    """Ask all questions, and test at once those that have days enough to tell."""
    units, in_b = numbered(pairs)
    questions = [q for pair in pairs for q in questions_of(pair, units, asked)]
    places = _places(questions, asked.alpha)
    found = answer(
        [questions[row].vectors for row in places],
        in_b,
        alpha=asked.alpha,
        permutations=asked.permutations,
        seed=asked.seed,
    )
    tests = tuple(
        tested(q, (found, places[row]) if row in places else None, in_b, asked.alpha)
        for row, q in enumerate(questions)
    )
    n_b = int(in_b.sum())
    return Answered(tests=tests, answer=found, units_a=in_b.size - n_b, units_b=n_b)


def _places(questions: Sequence[Question], alpha: float) -> dict[int, int]:
    """Return where the answer to each question is that can be told."""
    rows = [row for row, q in enumerate(questions) if is_asked(q, alpha)]
    return {row: place for place, row in enumerate(rows)}


def _hosts(pairs: Sequence[Pair], tests: Sequence[Tested]) -> Iterator[Host]:
    verdicts = {(t.device, t.measure): t.verdict for t in tests if t.kind is Kind.HOST}
    for pair in pairs:
        sides = pair.a, pair.b
        seen = [set(s.hosts) | s.elsewhere for s in sides]
        for host in sorted(seen[0] | seen[1]):
            n_a, n_b = (
                int(s.hosts[host].sum()) if host in s.hosts else 0 for s in sides
            )
            state = "both"
            if host not in seen[0]:
                state = "new in B"
            elif host not in seen[1]:
                state = "gone in B"
            yield Host(
                device=pair.device,
                host=host,
                n_a=n_a,
                n_b=n_b,
                state=state,
                verdict=verdicts.get((pair.device, host)),
            )
