"""Words that somebody has read pass, one by one; all others refuse."""

import pytest

from analysis.exporters.audit.accepting import AcceptedWords, listed, where_of, without
from analysis.exporters.audit.model import PLAIN, SAME, Finding

HUB = "hub with 10.0.0.9, tcp/80"


def finding(kind=PLAIN, place=f"{HUB}, packet 7", encoding="readable text", words=()):
    return Finding(
        file="campaigns/evening/raw/a.pcapng",
        place=place,
        kind=kind,
        encoding=encoding,
        shown="bri…id (8 characters) and 2 more words",
        reader="plain",
        n=1,
        words=words,
    )


def test_words_that_were_accepted_pass_and_the_others_refuse():
    found = finding(words=("bridgeid", "Vintrelka", "lastscan"))
    words = AcceptedWords.read(f"{HUB}\tbridgeid\n\n# mine\nlastscan\n")
    (left,), (passed,) = without([found], words)
    assert left.words == ("Vintrelka",)
    assert "bri" not in left.shown
    assert "more" not in left.shown
    assert (passed.words, passed.kind) == (2, PLAIN)
    assert "bridgeid" not in repr(passed)


def test_a_finding_of_which_all_words_are_accepted_is_none():
    left, passed = without(
        [finding(words=("bridgeid",))], AcceptedWords.read("bridgeid")
    )
    assert left == ()
    assert [each.words for each in passed] == [1]


@pytest.mark.parametrize(
    "line",
    [
        "tv with 10.0.0.9, tcp/80\tVintrelka",  # said elsewhere
        f"{HUB}\tvintrelka",  # another word
        f"{HUB}\tVintrelkas",
        f"{HUB}\t",
        "# Vintrelka",
    ],
)
def test_what_is_not_accepted_as_it_stands_refuses(line):
    found = finding(words=("Vintrelka",))
    assert without([found], AcceptedWords.read(line)) == ((found,), ())


def test_an_identifier_never_passes():
    found = finding(kind="person", encoding="utf-8", words=())
    assert without([found], AcceptedWords.read("Vintrelka"))[0] == (found,)


def test_what_is_listed_can_be_read_back_and_the_riskiest_comes_first():
    spoken = ("lastscan", "00:17:88:01:10:4d", "Vintrelka", "91c2b44e0cc2e21ed495")
    of_field = finding(kind=SAME, encoding="mqtt.clientid", words=("Kitchen tablet",))
    findings = [finding(words=spoken), of_field]
    lines = listed(findings)
    assert [line.split("\t")[1].strip() for line in lines[:2]] == [spoken[1], spoken[3]]
    assert {line.split("\t")[0] for line in lines} == set(map(where_of, findings))
    words = AcceptedWords.read("".join(lines))
    assert len(words) == len(lines) == 5
    assert without(findings, words)[0] == ()
