"""JSON Schema files, so that editors complete and check the YAML as it is typed."""

import json
from pathlib import Path

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import CoreSchema

from testbed.model.applock import AppLock
from testbed.model.lab import Lab
from testbed.model.profile import DeviceProfile
from testbed.model.scenario import Scenario

SCHEMAS: dict[str, type[BaseModel]] = {
    "lab": Lab,
    "device": DeviceProfile,
    "scenario": Scenario,
    "app.lock": AppLock,
}


class _TextSchema(GenerateJsonSchema):
    """Durations are written as text in YAML, although the model holds seconds."""

    def generate(
        self, schema: CoreSchema, mode: JsonSchemaMode = "validation"
    ) -> JsonSchemaValue:
        made = super().generate(schema, mode)
        made["$schema"] = self.schema_dialect
        return _relaxed(made)


def schema_text(name: str) -> str:
    """Return one JSON Schema as text; `name` is a key of SCHEMAS."""
    made = SCHEMAS[name].model_json_schema(schema_generator=_TextSchema)
    return json.dumps(made, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> None:
    """Write `<name>.schema.json` for every kind of file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in SCHEMAS:
        target = folder / f"{name}.schema.json"
        target.write_text(schema_text(name), encoding="utf-8")


def _relaxed(node: JsonSchemaValue) -> JsonSchemaValue:
    """Allow text wherever YAML text is turned into a number, a truth or a model."""
    if isinstance(node, dict):
        return {key: _relaxed_value(key, value) for key, value in node.items()}
    return node


def _relaxed_value(key: str, value: object) -> object:
    if isinstance(value, list):
        return [_relaxed(v) if isinstance(v, dict) else v for v in value]
    if not isinstance(value, dict):
        return value
    value = _relaxed(value)
    if value.get("type") in ("number", "integer", "boolean"):
        value["type"] = [value["type"], "string"]
    shorthand = {
        "PhoneStimulus": "array",
        "VoiceStimulus": "string",
        "SwitchStimulus": "string",
        "Rest": "string",
        "Selector": "object",
    }.get(key)
    if shorthand == "object":
        return {"type": "object", "description": value.get("description", "")}
    if shorthand is not None:
        return {"anyOf": [value, {"type": shorthand}]}
    return value
