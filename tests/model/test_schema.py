import json
from pathlib import Path

import pytest

from testbed.model.schema import SCHEMAS, schema_text

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_published_schema_is_the_one_of_the_model(name):
    published = ROOT / "docs" / "schema" / f"{name}.schema.json"
    assert published.read_text(encoding="utf-8") == schema_text(name)


def test_a_duration_may_be_text_in_the_schema():
    made = json.loads(schema_text("device"))
    assert made["properties"]["rest"]["type"] == ["number", "string"]
