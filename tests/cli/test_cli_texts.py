"""Files that options name are text in UTF-8, or are refused with what to do."""

import pytest

from testbed.cli.reading import text_told
from testbed.errors import ConfigError

WORDS = "person Jörg\nplace Küche\n"


@pytest.mark.parametrize("code", ["utf-8", "utf-8-sig"])
def test_a_mark_and_ends_of_lines_of_other_systems_are_no_hindrance(tmp_path, code):
    path = tmp_path / "told.txt"
    path.write_bytes("Jörg\r\nKüche\rHall\n".encode(code))
    assert text_told("--secrets", path) == "Jörg\nKüche\nHall\n"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (WORDS.encode("utf-16"), "it is UTF-16; .* `iconv -f UTF-16 -t UTF-8 FILE"),
        (WORDS.encode("utf-16-le"), "it seems to be UTF-16; .* -f UTF-16LE "),
        (WORDS.encode("utf-16-be"), "it seems to be UTF-16; .* -f UTF-16BE "),
        (b"one\n" + WORDS.encode("latin-1"), "line 2 is not; .* -f LATIN1 "),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "byte 9 is zero, as in no text; name"),
        (b"person\0Tom and others", "byte 7 is zero"),
    ],
)
def test_what_is_no_text_in_utf_8_is_told_with_its_place_and_what_to_do(
    tmp_path, data, said
):
    path = tmp_path / "told.txt"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=f"told.txt: is no text in UTF-8: {said}"):
        text_told("--secrets", path)
