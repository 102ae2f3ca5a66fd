"""YAML of the testbed: plain values alone, and read in C where that is there."""

from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(text: str) -> Any:
    """Return what a text holds: values that YAML itself knows, no objects.

    A frozen campaign is a third of a second in Python, and some hundredths in C.
    Raises yaml.YAMLError.
    """
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 -- a safe one
