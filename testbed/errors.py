"""Everything that testbed raises on purpose.

TestbedError
├── ConfigError               an input file is wrong      exit 2, nothing was touched
├── LabError                  the lab is not ready        exit 3, no trial was started
├── JournalError              the record is not safe      exit 4, the campaign stops
└── DriverError               an instrument failed        the trial ends as FAILED
    ├── DriverTimeoutError        it said nothing in time
    ├── DriverRefusedError        it said no
    ├── DriverGarbledError        it said nonsense
    └── DriverNoEffectError       it said yes and did not do it; NO_EFFECT, not FAILED

A message is one sentence without capital and full stop: who, what was asked, what
happened and, where there is one, the remedy.
"""


class TestbedError(Exception):
    """Base of all errors that testbed raises on purpose."""

    __test__ = False  # pytest would collect a class named Test...
    exit_code = 1


class ConfigError(TestbedError):
    """An input file is wrong or cannot be read; nothing was touched."""

    exit_code = 2


class LabError(TestbedError):
    """The lab is not ready; no trial was started."""

    exit_code = 3


class JournalError(TestbedError):
    """The record is not safe (journal, disk); the campaign stops."""

    exit_code = 4


class DriverError(TestbedError):
    """An instrument failed while it was asked for something.

    instrument  name in lab.yaml
    request     what was asked, in words
    reason      what happened, and the remedy if there is one
    """

    def __init__(self, instrument: str, request: str, reason: str) -> None:
        super().__init__(f"{instrument}: {request}: {reason}")
        self.instrument = instrument
        self.request = request
        self.reason = reason


class DriverTimeoutError(DriverError):
    """The instrument said nothing in time."""


class DriverRefusedError(DriverError):
    """The instrument said no."""


class DriverGarbledError(DriverError):
    """The instrument said nonsense."""


class DriverNoEffectError(DriverError):
    """The instrument said yes, and the state it then reports is unchanged."""
