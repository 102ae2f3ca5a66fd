"""`testbed verify`: what is printed, and how it ends."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analysis.errors import RequestError
from testbed.cli import build
from testbed.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "captures" / "example"


def call(*words):
    done = CliRunner().invoke(build(["verify"]), ["verify", *map(str, words)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture
def campaign(tmp_path):
    return Path(shutil.copytree(EXAMPLE, tmp_path / "campaign"))


def test_a_campaign_that_is_well_ends_with_0(campaign):
    done = call(campaign, "--quick")
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{campaign}: campaign of 17 files, ")
    assert done.stdout.endswith(": no fault; 1 thing not checked, as told above\n")
    assert "not checked: captures: left out, as asked" in done.stderr


def test_every_fault_is_a_line_and_it_ends_with_1(campaign):
    (campaign / "raw/receipt.json").write_text("{}\n")
    (campaign / "more.txt").write_text("mine\n")
    done = call(campaign, "--quick")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[:-1] == [
        "raw/receipt.json: differs from MANIFEST.sha256: it was changed or is damaged",
        "more.txt: is not named by MANIFEST.sha256: it was added since",
        "raw/receipt.json: has no 'captures'",
    ]
    assert ": 3 faults; 1 thing not checked" in done.stdout


def test_machines_get_the_same_as_json(campaign):
    (campaign / "more.txt").write_text("mine\n")
    done = call(campaign, "--quick", "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["kind"] == "campaign"
    assert told["quick"] is True
    (fault,) = told["faults"]
    assert (fault["file"], fault["place"]) == ("more.txt", "")
    assert told["not_checked"] == ["captures: left out, as asked"]


def test_a_folder_that_is_neither_is_refused(tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(RequestError, match="neither a dataset nor a campaign") as told:
        call(tmp_path)
    assert told.value.exit_code == 2


def test_a_digest_that_was_told_elsewhere_is_held_against_it(campaign):
    manifest = campaign / "MANIFEST.sha256"
    digest = sha256(manifest.read_bytes()).hexdigest()
    done = call(campaign, "--quick", "--digest", digest.upper())
    assert done.exit_code == 0
    assert f"digest: {digest}\n" in done.stderr
    for told in (f"sha256:{digest}", f"SHA256:{digest.upper()}", f" {digest}\n"):
        assert call(campaign, "--quick", "--digest", told).exit_code == 0
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(reversed(lines)))  # says the same of all files
    assert call(campaign, "--quick").exit_code == 0
    done = call(campaign, "--quick", "--digest", digest)
    assert done.exit_code == 1
    assert done.stdout.startswith("MANIFEST.sha256: has the SHA-256 ")
    with pytest.raises(ConfigError, match=r"must be 64 hexadecimal .*got 3 charac"):
        call(campaign, "--digest", "sha256:abc")


def test_faults_of_a_file_that_say_alike_are_folded_and_counted_all_the_same(campaign):
    journal = campaign / "activities.csv"
    text = journal.read_text()
    journal.write_text(text.replace("confirmed", "done"))
    done = call(campaign, "--quick")
    lines = [line for line in done.stdout.splitlines() if "outcome: must be" in line]
    n = text.count("confirmed")
    assert n > len(lines) == 5
    assert f"activities.csv: {n - 5} more like these; --json tells them" in done.stdout
    told = json.loads(call(campaign, "--quick", "--json").stdout)["faults"]
    assert sum("outcome: must be" in each["what"] for each in told) == n
    said = [": ".join(filter(None, each.values())) for each in told]
    assert len(said) == len(set(said))
    assert f": {len(told)} faults; " in done.stdout


def test_what_is_missing_is_told_once(campaign):
    (campaign / "journal.jsonl").unlink()
    lines = call(campaign, "--quick").stdout.splitlines()
    assert sum(line.startswith("journal.jsonl: ") for line in lines) == 1
