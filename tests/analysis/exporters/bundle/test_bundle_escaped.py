"""A campaign whose texts spell a name with escapes is published by one command."""

import base64
import csv
import json

import pytest
import yaml

from analysis.exporters.anonymise import Policy
from analysis.exporters.audit import audit
from analysis.exporters.bundle import publish
from analysis.exporters.identifiers import Identifier

TOLD = (Identifier(kind="person", value="Opas-Lampe"),)
SAID = (
    *("Op%61s-Lampe", "Op&#97;s-Lampe", "Op\\u0061s-Lampe", "Op=61s-Lampe"),
    base64.b64encode(b'{"who": "Opas-Lampe"}').decode(),
)


def told(campaign):
    """Let the texts of a campaign say a name; return where parameters stand."""
    path = campaign / "campaign.yaml"
    about = yaml.safe_load(path.read_text())
    about["scenario"]["note"] = list(SAID)
    path.write_text(yaml.safe_dump(about, sort_keys=False))
    path = campaign / "activities.csv"
    rows = list(csv.reader(path.read_text().splitlines()))
    at = rows[0].index("parameters")
    for row, text in zip(rows[1:], SAID, strict=False):
        row[at] = f"who={text}"
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    path = campaign / "journal.jsonl"
    lines = path.read_text().splitlines()
    facts = [json.loads(line) for line in lines]
    facts[3].setdefault("facts", {})["note"] = {text: text for text in SAID}
    path.write_text("".join(json.dumps(fact) + "\n" for fact in facts))
    return at


@pytest.mark.usefixtures("_without_tshark")
def test_a_name_spelt_with_escapes_in_texts_is_published_under_another(
    campaign, tmp_path, request_for, watcher, close
):
    at = told(campaign)
    close(campaign)
    assert audit(campaign, TOLD).findings
    request = request_for(
        tmp_path / "set",
        campaign,
        extra=TOLD,
        policy=Policy(payload="headers"),
        part_b=0,
        accept=("unread:tshark",),
    )
    publish(request, watcher)
    (made,) = (request.out / "data" / "campaigns").iterdir()
    assert not [e for e in audit(made, TOLD).findings if e.kind == "person"]
    about = yaml.safe_load((made / "campaign.yaml").read_text())
    now = about["scenario"]["note"]
    assert [len(text) for text in now] == [len(text) for text in SAID]
    rows = list(csv.reader((made / "activities.csv").read_text().splitlines()))
    assert [row[at] for row in rows[1 : 1 + len(now)]] == [f"who={n}" for n in now]
    lines = (made / "journal.jsonl").read_text().splitlines()
    facts = [json.loads(line) for line in lines]
    assert facts[3]["facts"]["note"] == {text: text for text in now}
    assert base64.b64decode(now[-1]).startswith(b'{"who": "')
