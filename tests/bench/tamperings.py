"""Ways to change what a dataset tells, and what else a tamperer makes anew for it.

Each draws what it changes, and leaves a dataset that can be read. SIGNED: manifests,
digests and sizes in all papers are made anew. DERIVED: labels, tables, splits and the
sums of the receipt as well, from what was changed.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.exporters.bundle.tables import write_frame
from analysis.pcap.rewrite import rewritten
from analysis.pcap.stream import open_capture_stream
from tests.bench.signing import Bag, files_of

SIGNED, DERIVED = "manifests", "manifests and all that is derived"
SECOND = 10**9
_STAMPS = ("t_ns", "t_issue_ns", "t_return_ns")
_TOLD = ("issue_ns", "return_ns", "instant_ns")
Change = Callable[[Bag, random.Random], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to tamper; says what it did. level: what is made anew afterwards."""

    name: str
    level: str
    change: Change


def _row_removed(bag: Bag, rng: random.Random) -> str:
    rows = bag.rows()
    gone = rows.pop(rng.randrange(len(rows)))
    bag.write_rows(rows)
    return gone["trial"]


def _moved(*names: str) -> Change:
    def change(bag: Bag, rng: random.Random) -> str:
        rows = bag.rows()
        row = rng.choice(rows)
        for name in names:
            row[name] = str(int(row[name]) + SECOND)
        bag.write_rows(rows)
        return row["trial"]

    return change


def _moved_in_journal(*, stamps: bool) -> Change:
    """Move a label in log and journal; with the stamps of the facts, or without."""

    def change(bag: Bag, rng: random.Random) -> str:
        trial = _moved(*_STAMPS)(bag, rng)
        facts = bag.facts()
        for fact in facts:
            if fact["facts"].get("trial") != trial:
                continue
            if fact["event"] == "stimulus_returned":
                for name in _TOLD:
                    fact["facts"][name] += SECOND
            if stamps and fact["event"] not in ("trial_started", "trial_ended"):
                fact["at_ns"] += SECOND
        bag.write_facts(facts)
        return trial

    return change


def _other_activity(bag: Bag, rng: random.Random) -> tuple[str, str]:
    """Give a trial another activity of its device in the log; return trial and it."""
    rows = bag.rows()
    row = rng.choice(rows)
    device, activity = row["device"], row["activity"]
    known = {each["activity"] for each in rows if each["device"] == device}
    row["activity"] = rng.choice(sorted(known - {activity}))
    bag.write_rows(rows)
    return row["trial"], row["activity"]


def _renamed(bag: Bag, rng: random.Random) -> str:
    return " is ".join(_other_activity(bag, rng))


def _renamed_in_journal(bag: Bag, rng: random.Random) -> str:
    trial, activity = _other_activity(bag, rng)
    facts = bag.facts()
    for fact in facts:
        if fact["event"] == "trial_started" and fact["facts"]["trial"] == trial:
            fact["facts"]["activity"] = activity
    bag.write_facts(facts)
    return f"{trial} is {activity}"


def _renamed_everywhere(bag: Bag, rng: random.Random) -> str:
    trial, activity = _other_activity(bag, rng)
    facts = bag.facts()
    for fact in facts:
        if fact["event"] == "trial_started" and fact["facts"]["trial"] == trial:
            fact["facts"]["activity"] = activity
        elif fact["event"] == "campaign_planned":
            plan = json.loads(fact["facts"]["plan_json"])
            for each in plan["trials"]:
                if each["trial"] == trial:
                    each["activity"] = activity
            fact["facts"]["plan_json"] = json.dumps(plan, separators=(",", ":"))
    bag.write_facts(facts)
    return f"{trial} is {activity}"


def _swapped(*names: str) -> Change:
    """Swap columns of two trials that differ in the first of them."""

    def change(bag: Bag, rng: random.Random) -> str:
        rows = bag.rows()
        one = rng.choice(rows)
        two = rng.choice([each for each in rows if each[names[0]] != one[names[0]]])
        for name in names:
            one[name], two[name] = two[name], one[name]
        bag.write_rows(rows)
        return f"{one['trial']} and {two['trial']}"

    return change


def _set(name: str, value: str) -> Change:
    def change(bag: Bag, rng: random.Random) -> str:
        rows = bag.rows()
        row = rng.choice(rows)
        row[name] = value if row[name] != value else value + "9"
        bag.write_rows(rows)
        return row["trial"]

    return change


def _macs_swapped(bag: Bag, rng: random.Random) -> str:
    path = bag.campaign / "campaign.yaml"
    text = path.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("  mac: ")]
    one, two = rng.sample(lines, 2)
    text = text.replace(one, "  mac: ONE").replace(two, one).replace("  mac: ONE", two)
    path.write_text(text, encoding="utf-8")
    return f"{one} and {two}"


def _firmware(bag: Bag, rng: random.Random) -> str:
    rows = bag.rows()
    row = rng.choice(rows)
    old, device = row["firmware"], row["device"]
    for each in rows:
        if each["device"] == device:
            each["firmware"] = "9.9.9"
    bag.write_rows(rows)
    path = bag.campaign / "campaign.yaml"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    at = next(k for k, line in enumerate(lines) if line == f"- device: {device}\n")
    place = next(k for k in range(at, len(lines)) if "firmware:" in lines[k])
    lines[place] = "  firmware: 9.9.9\n"
    path.write_text("".join(lines), encoding="utf-8")
    return f"{device}: {old}"


def _packet_removed(bag: Bag, rng: random.Random) -> str:
    with open_capture_stream(bag.raw) as stream:
        n = sum(len(batch) for batch in stream)
    gone = rng.randrange(n)
    target = bag.raw.with_name("other.pcapng")
    with rewritten(target) as writer, open_capture_stream(bag.raw) as stream:
        writer.begin(stream)
        for batch in stream:
            first = batch.first_frame
            rows = [k for k in range(len(batch)) if first + k != gone]
            writer.write(batch, pl.Series(rows, dtype=pl.Int64).to_numpy())
        writer.close()
        writer.keep()
    target.replace(bag.raw)
    return f"frame {gone + 1}"


def _payload_changed(bag: Bag, rng: random.Random) -> str:
    data = bytearray(bag.raw.read_bytes())
    places = []
    with open_capture_stream(bag.raw) as stream:
        for batch in stream:
            blocks = (batch.block + batch.base).tolist()
            pairs = zip(blocks, batch.block_b.tolist(), strict=True)
            places += [(at, size_b) for at, size_b in pairs if size_b > 200]
    at, _ = rng.choice(places)
    data[at + 28 + 80 + rng.randrange(40)] ^= 1 << rng.randrange(8)
    bag.raw.write_bytes(data)
    return f"block at {at}"


def _table_row_removed(bag: Bag, rng: random.Random) -> str:
    path = rng.choice(sorted(bag.campaign.glob("*/device=*/*.parquet")))
    table = pq.read_table(path)
    gone = rng.randrange(table.num_rows)
    kept = [table.slice(0, gone), table.slice(gone + 1)]
    pq.write_table(pa.concat_tables(kept), path)
    return f"{path.parent.name}: row {gone + 1}"


def _packet_length(bag: Bag, rng: random.Random) -> str:
    path = rng.choice(sorted(bag.campaign.glob("packets/device=*/*.parquet")))
    table = pq.read_table(path)
    at = table.schema.get_field_index("length_b")
    values = table.column(at).to_pylist()
    row = rng.randrange(len(values))
    values[row] += 1
    field = table.schema.field(at)
    pq.write_table(table.set_column(at, field, pa.array(values, field.type)), path)
    return f"{path.parent.name}: row {row + 1}"


def _comment(bag: Bag, rng: random.Random) -> str:
    path = rng.choice(sorted(bag.campaign.glob("labelled/*.pcapng")))
    data = bytearray(path.read_bytes())
    found = [k for k in range(len(data) - 7) if data[k : k + 6] == b"label="]
    at = rng.choice(found) + 6
    data[at] ^= 1
    path.write_bytes(data)
    return f"{path.name}: byte {at}"


def _host(name: str, *, removed: bool = False) -> Change:
    def change(bag: Bag, rng: random.Random) -> str:
        stem = bag.data / "tables/hosts"
        frame = pl.read_parquet(stem.with_suffix(".parquet"))
        row = rng.randrange(frame.height)
        if removed:
            frame = frame.with_row_index().filter(pl.col("index") != row).drop("index")
        else:
            values = frame[name].to_list()
            is_text = isinstance(values[row], str)
            values[row] = "10.9.8.7" if is_text else values[row] + SECOND
            frame = frame.with_columns(pl.Series(name, values, dtype=frame[name].dtype))
        write_frame(frame, stem)
        return f"row {row + 1}"

    return change


def _split(bag: Bag, rng: random.Random) -> str:
    moved = []

    def change(
        document: dict[str, list[dict[str, list[dict[str, list[str]]]]]],
    ) -> None:
        rows = [row for row in document["splits"] if row.get("folds")]
        fold = rng.choice(rng.choice(rows)["folds"])
        trial = fold["test"].pop(rng.randrange(len(fold["test"])))
        fold["train"].append(trial)
        moved.append(trial)

    bag.edit_json(bag.data / "splits.json", change)
    return moved[0]


def _score(bag: Bag, rng: random.Random) -> str:
    paths = [p for p in files_of(bag.data / "results") if p.name == "accuracy.csv"]
    path = rng.choice(paths)
    lines = path.read_text(encoding="utf-8").splitlines()
    at = rng.randrange(1, len(lines))
    cells = lines[at].split(",")
    cells[4] = "0.987"
    lines[at] = ",".join(cells)
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return f"row {at}"


def _figure(bag: Bag, rng: random.Random) -> str:
    paths = [p for p in files_of(bag.data / "results") if p.suffix == ".svg"]
    path = rng.choice(paths)
    bag.edit(path, "</svg>", "<rect width='9' height='9'/></svg>")
    return path.name


def _paper(name: str, old: str, new: str) -> Change:
    def change(bag: Bag, _rng: random.Random) -> str:
        bag.edit(bag.data / name, old, new)
        return name

    return change


WAYS = (
    Way(name="row of the log removed", level=SIGNED, change=_row_removed),
    Way(name="row of the log removed", level=DERIVED, change=_row_removed),
    Way(name="label moved by 1 s: t_ns", level=SIGNED, change=_moved("t_ns")),
    Way(name="label moved by 1 s: t_ns", level=DERIVED, change=_moved("t_ns")),
    Way(name="label moved: all stamps", level=DERIVED, change=_moved(*_STAMPS)),
    Way(
        name="label moved: all stamps, and what the journal tells",
        level=DERIVED,
        change=_moved_in_journal(stamps=False),
    ),
    Way(
        name="label moved: all stamps, journal, and its own stamps",
        level=DERIVED,
        change=_moved_in_journal(stamps=True),
    ),
    Way(name="activity renamed", level=SIGNED, change=_renamed),
    Way(name="activity renamed", level=DERIVED, change=_renamed),
    Way(
        name="activity renamed, and in the journal's fact",
        level=DERIVED,
        change=_renamed_in_journal,
    ),
    Way(
        name="activity renamed, in fact and plan of the journal",
        level=DERIVED,
        change=_renamed_everywhere,
    ),
    Way(
        name="activities of two trials swapped",
        level=DERIVED,
        change=_swapped("activity", "device", "unit", "firmware", "app_version"),
    ),
    Way(name="times of two trials swapped", level=DERIVED, change=_swapped(*_STAMPS)),
    Way(
        name="devices of two trials swapped",
        level=DERIVED,
        change=_swapped("device", "unit", "firmware", "app_version"),
    ),
    Way(name="MACs of two devices swapped", level=DERIVED, change=_macs_swapped),
    Way(name="firmware of a device, everywhere", level=DERIVED, change=_firmware),
    Way(name="window shortened", level=DERIVED, change=_set("delta_ns", "3000000000")),
    Way(name="session of a trial", level=DERIVED, change=_set("session", "other")),
    Way(name="user of a trial", level=DERIVED, change=_set("user", "eve")),
    Way(name="outcome of a trial", level=DERIVED, change=_set("outcome", "failed")),
    Way(
        name="uncertainty of a trial",
        level=DERIVED,
        change=_set("t_uncertainty_ns", "1000"),
    ),
    Way(name="packet of a capture removed", level=SIGNED, change=_packet_removed),
    Way(name="packet of a capture removed", level=DERIVED, change=_packet_removed),
    Way(name="bit of a payload", level=SIGNED, change=_payload_changed),
    Way(name="bit of a payload", level=DERIVED, change=_payload_changed),
    Way(name="row of a packet or flow table", level=SIGNED, change=_table_row_removed),
    Way(name="length of a packet in its table", level=SIGNED, change=_packet_length),
    Way(name="comment of a labelled packet", level=SIGNED, change=_comment),
    Way(name="host removed", level=SIGNED, change=_host("", removed=True)),
    Way(name="host of another name", level=SIGNED, change=_host("name")),
    Way(name="host of another time", level=SIGNED, change=_host("until_ns")),
    Way(name="host, how it is written", level=SIGNED, change=_host("written")),
    Way(name="trial moved from test to training", level=SIGNED, change=_split),
    Way(name="score in a table of results", level=SIGNED, change=_score),
    Way(name="line of a figure", level=SIGNED, change=_figure),
    Way(
        name="seed of the recipe",
        level=SIGNED,
        change=_paper("results/recipe.json", '"seed": 0', '"seed": 1'),
    ),
    Way(
        name="licence in CITATION",
        level=SIGNED,
        change=_paper("CITATION.cff", "license: CC-BY-4.0", "license: CC0-1.0"),
    ),
    Way(
        name="licence in LICENSE",
        level=SIGNED,
        change=_paper("LICENSE.txt", "CC-BY-4.0", "CC0-1.0"),
    ),
    Way(
        name="author in CITATION",
        level=SIGNED,
        change=_paper("CITATION.cff", "- name: A B", "- name: Eve"),
    ),
    Way(
        name="counts of replaced identifiers",
        level=SIGNED,
        change=_paper("anonymisation.json", '"hostname": ', '"hostname": 9'),
    ),
    Way(
        name="words of README",
        level=SIGNED,
        change=_paper("README.md", "confirmed", "perhaps confirmed"),
    ),
)
