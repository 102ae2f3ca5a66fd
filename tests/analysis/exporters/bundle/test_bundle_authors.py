"""Who signs a dataset."""

import pytest

from analysis.errors import RequestError
from analysis.exporters.bundle.authors import author_of, authors_of

# given by ORCID as examples
RIGHT = "0000-0002-1825-0097"
WITH_X = "0000-0002-1694-233X"


@pytest.mark.parametrize(
    ("text", "name", "orcid"),
    [
        ("Ada Byron", "Ada Byron", ""),
        (f"Ada Byron ({RIGHT})", "Ada Byron", RIGHT),
        (f"Ada Byron ( https://orcid.org/{WITH_X.lower()} )", "Ada Byron", WITH_X),
        ("Ærø 2 kollektiv", "Ærø 2 kollektiv", ""),
    ],
)
def test_an_author_has_a_name_and_may_have_an_orcid(text, name, orcid):
    assert author_of(text) == (name, orcid)
    assert authors_of([text]) == (text,)


def test_what_would_be_published_wrongly_is_refused_all_at_once():
    wrong = ["Ada (0000-0002-1825-0098)", "Ada <ada@example.org>", " "]
    with pytest.raises(RequestError) as raised:
        authors_of([*wrong, "Ada (0000000218250097)", "Ada Byron"])
    lines = str(raised.value).splitlines()
    named = [line.split(": ")[1] for line in lines]
    assert named == [*wrong[:2], "' '", "Ada (0000000218250097)"]
    assert "is no ORCID" in lines[0]
    assert "mail address" in lines[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "--author: '': is empty; name somebody, or leave it out"),
        (
            "Ada (123)",
            "what stands in parentheses must be an ORCID, as in 'Ada Byron (",
        ),
        ("Ada Byron (Leeds)", "what stands in parentheses must be an ORCID"),
        (f"Ada ({RIGHT}", "what stands in parentheses must be an ORCID"),
        (f"({RIGHT})", "what stands in parentheses must be an ORCID"),
        (f"Ada (Leeds) ({RIGHT})", "what stands in parentheses must be an ORCID"),
        ("123", "--author: 123: is no name; write it as 'Ada Byron'"),
        (f"Ada Byron {RIGHT}", "write an ORCID in parentheses, as in 'Ada Byron ("),
        (RIGHT, "is no name; write it as 'Ada Byron', or 'Ada Byron (ORCID)'"),
    ],
)
def test_what_is_no_name_is_refused_with_what_to_write(text, told):
    with pytest.raises(RequestError) as raised:
        authors_of([text])
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
