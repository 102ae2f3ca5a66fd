"""Papers and metadata of a dataset, changed by who made all manifests again."""

import pytest

pytestmark = pytest.mark.usefixtures("without_others")


def faults_of(dataset, name, **options):
    dataset.sign()
    found = dataset.faults(**options)
    assert found
    return [fault for fault in found if name in fault]


def test_an_audit_that_was_not_passed_and_a_paper_that_is_gone_are_found(dataset):
    def confess(about):
        about["audit"]["findings"] = 2
        about["policy"]["beacons"] = "kept"

    dataset.edit_json(dataset.data / "anonymisation.json", confess)
    (dataset.data / "CITATION.cff").unlink()
    faults = faults_of(dataset, "", quick=True)
    assert (
        "data/anonymisation.json: audit.findings: 2 findings of the audit were left"
        in (faults)
    )
    assert any("policy.beacons: beacons" in each for each in faults)
    assert "data/CITATION.cff: is not there" in faults


def test_metadata_that_lies_is_found(dataset):
    sums = {"sha256": "0" * 64, "contentSize": "1"}

    def lie(crate):
        (entry,) = [e for e in crate["@graph"] if e["@id"] == "tables/hosts.csv"]
        entry |= sums

    dataset.sign()
    dataset.edit_json(dataset.data / "ro-crate-metadata.json", lie)
    faults = dataset.faults(quick=True)
    where = "data/ro-crate-metadata.json: tables/hosts.csv: has another SHA-256"
    assert any(each.startswith(where) for each in faults)


def test_papers_are_held_against_each_other(dataset):
    dataset.edit(dataset.data / "LICENSE.txt", "CC-BY-4.0", "CC0-1.0")
    dataset.edit(dataset.data / "README.md", "# Three devices", "# Four devices")
    dataset.edit(dataset.data / "CITATION.cff", "- name: Ada Byron", "- name: Eve")
    faults = faults_of(dataset, "", quick=True)
    for what in (
        "LICENSE.txt: licence: is 'CC0-1.0', but CITATION.cff says 'CC-BY-4.0'",
        "README.md: title: is 'Four devices', but CITATION.cff says 'Three devices'",
        "LICENSE.txt: authors: is 'Ada Byron', but CITATION.cff says 'Eve'",
        "croissant.json: authors: is 'Ada Byron', but CITATION.cff says 'Eve'",
        "ro-crate-metadata.json: authors: is 'Ada Byron', but CITATION.cff says 'Eve'",
    ):
        assert f"data/{what}" in faults


def test_what_the_audit_cannot_have_looked_at_is_found(dataset):
    dataset.edit(dataset.data / "datasheet.md", "## Motivation", "## Our motivation")
    dataset.sign(audit=False)
    (fault,) = dataset.faults(quick=True)
    assert fault.startswith("data/anonymisation.json: audit.looked_at: the audit loo")
    assert fault.endswith(": something was changed since")
    (dataset.data / "more.md").write_text("An afterthought.\n")

    def name(crate):
        crate["@graph"][0]["hasPart"].append({"@id": "more.md"})
        about = {"@id": "more.md", "@type": "File", "sha256": "", "contentSize": ""}
        crate["@graph"].append(about)

    dataset.edit_json(dataset.data / "ro-crate-metadata.json", name)
    dataset.sign(audit=False)
    faults = dataset.faults(quick=True)
    assert any(" files, not at " in each for each in faults)


def test_what_was_counted_when_identifiers_were_replaced_is_held_true(dataset):
    def lie(about):
        about["captures"]["packets"] += 1

    dataset.edit_json(dataset.data / "anonymisation.json", lie)
    (fault,) = faults_of(dataset, "captures.packets", quick=True)
    assert "but packets.json tells 1238" in fault


def test_firmware_of_the_crate_is_that_of_the_campaign(dataset):
    path = dataset.campaign / "campaign.yaml"
    dataset.edit(path, "  firmware: 2.3.9", "  firmware: 2.4.0")
    faults = faults_of(dataset, "ro-crate-metadata.json", quick=True)
    assert any(each.endswith("campaign.yaml has 'firmware 2.4.0'") for each in faults)


def test_words_of_the_metadata_are_held_against_each_other(dataset):
    path = dataset.data / "croissant.json"
    dataset.edit(path, '"encodingFormat": "text/csv"', '"encodingFormat": "text/csw"')
    dataset.edit(path, '"@id": "hosts-records/name"', '"@id": "hosts-records/game"')
    dataset.edit(path, '"column": "home"', '"collumn": "home"')
    crate = dataset.data / "ro-crate-metadata.json"
    dataset.edit(crate, '"name": "devices.csv"', '"name": "devises.csv"')
    faults = faults_of(dataset, "", quick=True)
    for what in (
        "is of format 'text/csw', others of 'text/csv'",
        "hosts-records/game: is no field 'name' of 'hosts-records'",
        "activities-records/home: is made of no column",
        "tables/devices.csv: is named 'devises.csv', must be 'devices.csv'",
    ):
        assert any(each.endswith(what) for each in faults), what
