"""What people told and nothing recorded says: misspelt, it is looked for in vain."""

from collections.abc import Iterable, Sequence

from analysis.exporters.anonymise import Pseudonyms
from analysis.exporters.anonymise.patterns import stays
from analysis.exporters.identifiers import Identifier


def unmet_of(
    told: Iterable[Identifier],
    identifiers: Sequence[Identifier],
    met: frozenset[int],
    pseudonyms: Pseudonyms,
) -> tuple[Identifier, ...]:
    """Return what was told and stood in no capture and no text.

    met  rows of `identifiers` that stood somewhere

    Of two that overlap only the longer one is replaced, so what is part of one that was
    met was met as well; so was what is met as something else.
    """
    values = [identifiers[row].value.casefold() for row in met]
    rows = {(each.kind, each.value): row for row, each in enumerate(identifiers)}
    return tuple(
        each
        for each in told
        if rows.get((each.kind, each.value)) not in met
        and not stays(each, pseudonyms)
        and not any(each.value.casefold() in value for value in values)
    )
