"""Texts of a campaign that spell an identifier with escapes or under an encoding."""

import base64
import csv
import json
import quopri
from urllib.parse import quote

import pytest
import yaml

from analysis.exporters.anonymise import Policy, Pseudonyms, Words, anonymise_texts
from analysis.exporters.audit import audit
from analysis.exporters.identifiers import Identifier

NAME = "Opas-Lampe"
KNOWN = (
    Identifier(kind="hostname", value=NAME),
    Identifier(kind="mac", value="50:c7:bf:6b:e0:19"),
    Identifier(kind="ipv4", value="10.77.0.5"),
)
TOLD = json.dumps({"room": "attic", "name": NAME, "on": True})
SPELLINGS = {
    "percent": "Op%61s-L%61mpe",
    "twice percent": "Op%2561s-Lampe",
    "entity": "Op&#97;s&#45;Lampe",
    "hexadecimal entity": "Op&#x61;s-Lam&#x70;e",
    "backslash u": "Op\\u0061s-Lampe",
    "backslash x": "Opas\\x2dLampe",
    "octal": "Op\\141s-Lampe",
    "quoted-printable": "Op=61s-L=61mpe",
    "parted hex": " ".join(f"{ord(char):02x}" for char in NAME),
    "colon hex": ":".join(f"{ord(char):02X}" for char in NAME),
    "hex": TOLD.encode().hex(),
    "base64": base64.b64encode(TOLD.encode()).decode(),
    "base32": base64.b32encode(TOLD.encode()).decode(),
    "base64 in percent": quote(
        base64.b64encode(b"for " + TOLD.encode()).decode(), safe=""
    ),
    "percent in base64": base64.b64encode(b"the name is Op%61s-Lampe").decode(),
    "wide": base64.b64encode(TOLD.encode("utf-16le")).decode(),
    "quoted": quopri.encodestring(b"Opas=Lampe Opas-Lampe\xc3\xa4").decode(),
    "hex of a MAC": "50C7BF6BE019",
    "escaped MAC": "50%3Ac7%3Abf%3A6b%3Ae0%3A19",
    "escaped address": "10&#46;77&#46;0&#46;5",
    "encoded address": base64.b64encode(b"the router at 10.77.0.5 again").decode(),
}


@pytest.fixture
def texts(tmp_path):
    """Return what anonymises a campaign that says some texts everywhere."""

    def _texts(said, known=KNOWN):
        plain, made = tmp_path / "plain", tmp_path / "made"
        plain.mkdir()
        notes = {f"note {k}": each for k, each in enumerate(said)}
        about = {"campaign": "evening", "simulated": False, "form": "live"}
        made_of = {**about, "scenario": {"notes": notes, "all": said}}
        text = yaml.safe_dump(made_of, sort_keys=False)
        (plain / "campaign.yaml").write_text(text)
        with (plain / "activities.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["activity", "parameters", "t_ns"])
            rows.writerows(["turn_on", f"colour=red;name={each}", 7] for each in said)
        facts = [{"event": "noted", "facts": {each: [each]}} for each in said]
        lines = "".join(json.dumps(fact) + "\n" for fact in facts)
        (plain / "journal.jsonl").write_text(lines)
        made.mkdir()
        anonymise_texts(
            plain,
            made,
            pseudonyms=Pseudonyms(bytes(range(32))),
            identifiers=known,
            policy=Policy(),
        )
        return plain, made

    return _texts


def test_no_spelling_is_left_in_the_texts_of_a_campaign(texts):
    said = list(SPELLINGS.values())
    plain, made = texts(said)
    before = {each.encoding for each in audit(plain, KNOWN).findings}
    assert len(before) > len(said) // 2
    assert audit(made, KNOWN).findings == ()
    about = yaml.safe_load((made / "campaign.yaml").read_text())["scenario"]
    rows = list(csv.DictReader((made / "activities.csv").read_text().splitlines()))
    journal = (made / "journal.jsonl").read_text().splitlines()
    facts = [json.loads(line)["facts"] for line in journal]
    now = about["all"]
    assert len(now) == len(set(now)) == len(said)
    assert list(about["notes"].values()) == now
    assert facts == [{each: [each]} for each in now]
    assert [row["parameters"] for row in rows] == [f"colour=red;name={e}" for e in now]
    assert {row["activity"] for row in rows} == {"turn_on"}


def test_a_serial_that_is_written_as_a_number_becomes_another(texts):
    known = (*KNOWN, Identifier(kind="serial", value="4815162342"))
    plain, made = texts([4815162342, 1024, 10**9], known)
    about = yaml.safe_load((made / "campaign.yaml").read_text())["scenario"]
    now, *others = about["all"]
    assert now != 4815162342
    assert len(str(now)) == 10
    assert others == [1024, 10**9]
    fact, *_ = (made / "journal.jsonl").read_text().splitlines()
    assert json.loads(fact)["facts"] == {str(now): [now]}
    assert audit(plain, known).findings
    assert audit(made, known).findings == ()


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_spelling_becomes_the_same_spelling_of_another(name):
    said = SPELLINGS[name]
    words = Words(Pseudonyms(bytes(range(32))), KNOWN, Policy())
    made = words.text(f"say {said} twice")
    assert made.startswith("say ")
    assert made.endswith(" twice")
    assert len(made) == len(said) + 10
    assert said not in made
    marks = [(a, b) for a, b in zip(said, made[4:], strict=False) if a in "%&#;\\=: .{"]
    assert all(a == b for a, b in marks)


def test_a_base64_note_still_holds_what_it_held_around_the_name():
    words = Words(Pseudonyms(bytes(range(32))), KNOWN, Policy())
    told = json.loads(base64.b64decode(words.text(SPELLINGS["base64"])))
    assert told == {"room": "attic", "name": words.text(NAME), "on": True}
    assert words.known(SPELLINGS["percent"]) == words.text(SPELLINGS["percent"])


def test_an_address_beside_an_escape_becomes_that_of_the_headers():
    words = Words(Pseudonyms(bytes(range(32))), KNOWN, Policy())
    address, name = words.address("10.77.0.5"), words.text(SPELLINGS["percent"])
    made = words.text("10.77.0.5 is Op%61s-L%61mpe, 10.77.0.5 too")
    assert made == f"{address} is {name}, {address} too"
    assert words.known("1.2.3.4") == "1.2.3.4"


@pytest.mark.parametrize(
    "text", ["100%", "a=b;c=d", "12:30:45", "C:\\temp\\new", "&amp;", "1 0 7 7 0 5"]
)
def test_what_looks_escaped_and_spells_nobody_stays(text):
    words = Words(Pseudonyms(bytes(range(32))), KNOWN, Policy())
    assert words.text(text) == text
