import pytest

from testbed.errors import ConfigError
from testbed.runner.campaigns.folder import load_inputs, write_inputs


def test_what_is_frozen_is_loaded_as_it_was_written(tmp_path):
    inputs = {"campaign": "a-1", "lab": {"on": "07:30", "no": False, "e": "Küche"}}
    write_inputs(tmp_path, inputs)
    assert load_inputs(tmp_path) == inputs


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("campaign: [a", "is damaged: it is not YAML"),
        ("campaign: !!python/object/apply:os.getcwd []", "is damaged: it is not YAML"),
        ("- campaign", "is damaged: it names no campaign"),
        ("lab: {}", "is damaged: it names no campaign"),
    ],
)
def test_damaged_inputs_are_refused(tmp_path, text, why):
    (tmp_path / "campaign.yaml").write_text(text)
    with pytest.raises(ConfigError, match=why):
        load_inputs(tmp_path)
