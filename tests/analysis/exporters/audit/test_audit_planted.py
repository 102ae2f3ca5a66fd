import pytest

from analysis.exporters.anonymise import Policy, Pseudonyms, anonymise_capture
from analysis.exporters.audit import UNREAD, audit
from analysis.exporters.identifiers import harvest

LOGIN = "lindqvist_m"  # in base64, behind Basic


def test_more_than_forty_secrets_of_more_than_twelve_kinds_are_planted(secrets):
    assert len(secrets) >= 40
    assert len({each.kind for each in secrets}) >= 12


@pytest.fixture(scope="module")
def before(planted, secrets):
    return audit(planted, secrets)


def test_every_planted_secret_is_found_by_name(before, secrets):
    found = {f.number for f in before.findings if f.file.startswith("raw/")}
    missed = [each for row, each in enumerate(secrets) if row not in found]
    assert missed == []
    assert [f for f in before.findings if f.kind == UNREAD] == []
    assert before.too_short == ()


def test_no_secret_needs_the_second_reader(planted, secrets, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    result = audit(planted, secrets)
    found = {f.number for f in result.findings if f.file.startswith("raw/")}
    assert len(found) == len(secrets)
    told = [f for f in result.findings if f.kind == UNREAD]
    assert [(f.accept, f.file) for f in told] == [(("unread:tshark",), "all captures")]


def test_the_second_reader_finds_what_protocols_say(before, secrets):
    found = {secrets[f.number].value for f in before.findings if f.reader == "tshark"}
    assert found >= {"192.168.178.63", "192.168.178.61", LOGIN, "8006E1D2C3B4A59687"}
    assert len(found) > 20


def test_a_token_that_two_segments_part_is_found_in_the_stream(before, secrets):
    found = {
        secrets[f.number].value: f for f in before.findings if f.reader == "stream"
    }
    assert found["Zk4Lm8Qp2Xv6Bn0Rt"].place.startswith("said from packet ")


def test_no_finding_shows_a_secret(before, secrets):
    for finding in before.findings:
        value = secrets[finding.number].value
        assert value not in (finding.shown + finding.place + finding.encoding)


def test_harvest_finds_by_itself_what_a_capture_tells(planted, secrets):
    found = {(each.kind, each.value.lower()) for each in harvest(planted)}
    missed = {each for each in secrets if (each.kind, each.value.lower()) not in found}
    assert missed == set()


@pytest.mark.parametrize("payload", ["keep", "headers"])
def test_nothing_is_found_after_the_anonymiser(planted, secrets, tmp_path, payload):
    told = harvest(planted, extra=secrets)
    target = tmp_path / "lan-00001.pcapng"
    counts = anonymise_capture(
        planted / "raw" / "lan-00001.pcapng",
        target,
        pseudonyms=Pseudonyms(bytes(range(32))),
        identifiers=told,
        policy=Policy(payload=payload),
    )
    result = audit(tmp_path, told)
    left = [(told[f.number].value, f.encoding, f.place) for f in result.findings]
    assert left == []
    assert counts.packets == result.looked_at.packets > 20
    assert result.looked_at.dissected > 20
