"""Faults of options, collected, so that all of them are told at once."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from analysis.errors import AnalysisError
from testbed.errors import ConfigError, TestbedError

_BAD_INPUT = 2
_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


class Faults:
    """Collects what is wrong with what a command was given."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}

    def of(
        self,
        otherwise: _Made,
        make: Callable[_Given, _Made],
        *args: _Given.args,
        **kwargs: _Given.kwargs,
    ) -> _Made:
        """Return what `make` returns, or `otherwise` where it is bad input, for now."""
        try:
            return make(*args, **kwargs)
        except (TestbedError, AnalysisError) as exc:
            if exc.exit_code != _BAD_INPUT:
                raise
            self._lines |= dict.fromkeys(str(exc).splitlines())
            return otherwise

    def refuse(self) -> None:
        """Raise ConfigError with a line for each fault, if there is any."""
        if self._lines:
            raise ConfigError("\n".join(self._lines))
