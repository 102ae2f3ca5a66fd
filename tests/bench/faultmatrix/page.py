"""The page docs/faults.md: its table is made of the cases and of what was measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.faultmatrix.case import Case

PAGE = Path(__file__).resolve().parents[3] / "docs" / "faults.md"
BEGIN, _END = "<!-- cases -->\n", "<!-- end of cases -->\n"
_HEAD = (
    "| case | form | fault | when | expected | measured |\n|---|---|---|---|---|---|\n"
)


def row(case: Case, measured: str) -> str:
    """Return the line of one case."""
    cells = (
        case.name,
        case.form.value,
        f"`{case.fault}`",
        case.when,
        case.expected,
        measured,
    )
    return "| " + " | ".join(cells) + " |"


def write(cases: Sequence[Case], measured: Mapping[tuple[str, str], str]) -> None:
    """Write the table; what was not measured now keeps what the page says of it."""
    text = PAGE.read_text(encoding="utf-8")
    before = {(r[0], r[1]): r[5] for r in rows(text)}
    known = {**before, **measured}
    lines = [row(c, known.get((c.name, c.form.value), "")) for c in cases]
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(_END)
    table = _HEAD + "\n".join(lines) + "\n"
    PAGE.write_text(f"{head}{BEGIN}{table}{_END}{tail}", encoding="utf-8")


def rows(text: str) -> list[tuple[str, ...]]:
    """Return the cells of each line of the page's table."""
    _, _, rest = text.partition(BEGIN)
    table, _, _ = rest.partition(_END)
    return [
        tuple(cell.strip() for cell in line.strip()[1:-1].split("|"))
        for line in table.splitlines()[2:]
    ]
