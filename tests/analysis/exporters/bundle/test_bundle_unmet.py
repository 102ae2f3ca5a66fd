"""What is told as a secret and stands nowhere: people want to hear of it."""

import pytest

from analysis.exporters.anonymise import Policy, Pseudonyms
from analysis.exporters.bundle import RefusedError, pipeline, publish
from analysis.exporters.bundle.unmet import unmet_of
from analysis.exporters.identifiers import Identifier

MET = (
    ("mac", "14:91:82:77:00:32"),  # a header alone
    ("account", "koogeek/121005"),  # a payload
    ("domain", "push.phone.example"),  # labels of DNS
    ("secret", "phone.example"),  # part of another that was met
    ("serial", "SIM00000032"),  # nothing but what is left out of the lab
    ("place", "An evening of Tom"),  # nothing but campaign.yaml, changed below
)
UNMET = (
    ("mac", "14:91:82:77:00:33"),
    ("person", "Ada Birun"),
    ("secret", "koogeek/121006"),
)


def told(pairs):
    return tuple(Identifier(kind=k, value=v, source="secrets") for k, v in pairs)


@pytest.fixture
def asked(campaign, request_for, tmp_path, close):
    path = campaign / "campaign.yaml"
    said = "A small campaign to look at without running anything"
    path.write_text(path.read_text().replace(said, "An evening of Tom"))
    close(campaign)
    return lambda **options: request_for(
        tmp_path / "set", campaign, extra=told((*MET, *UNMET)), part_b=0, **options
    )


@pytest.mark.usefixtures("_without_tshark")
def test_what_was_told_and_stands_nowhere_is_told(asked, watcher, monkeypatch):
    with monkeypatch.context() as patch:  # a second opinion that is missing later
        patch.setattr(pipeline, "refuse_without_tshark", lambda _: None)
        with pytest.raises(RefusedError) as refused:
            publish(asked(), watcher)
    assert set(refused.value.unmet) == set(told(UNMET))
    made = publish(asked(accept=("unread:tshark",)), watcher)
    assert set(made.unmet) == set(told(UNMET))


@pytest.mark.usefixtures("_without_tshark")
def test_what_was_cut_away_is_not_said_to_be_missing(asked, watcher):
    headers = Policy(payload="headers")
    made = publish(asked(policy=headers, accept=("unread:tshark",)), watcher)
    assert made.unmet == ()


def test_addresses_of_everybody_are_not_said_to_be_missing():
    groups = told((("mac", "01:00:5e:00:00:fb"), ("ipv4", "224.0.0.251")))
    assert unmet_of(groups, groups, frozenset(), Pseudonyms(bytes(32))) == ()
