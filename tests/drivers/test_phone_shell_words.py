"""Words to the phone's shell."""

import shlex

import pytest

from testbed.drivers.phone_words import is_package, typing_command


@pytest.mark.parametrize("text", ["hello world", "a'b", '"$HOME"', "`rm -rf`; echo x"])
def test_typed_text_reaches_the_phone_as_one_word(text):
    assert shlex.split(typing_command(text)) == [
        "input",
        "text",
        text.replace(" ", "%s"),
    ]


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("com.example.lamp", True),
        ("a.b; rm", False),
        ("lamp", False),
        ("", False),
        ("a.$b", False),
    ],
)
def test_only_the_name_of_an_app_goes_into_a_command(name, good):
    assert is_package(name) is good
