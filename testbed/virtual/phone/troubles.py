"""What is wrong with the virtual phone just now, read from the scripted faults.

The value of a fault says how. Those of dialogs: a word of `DIALOGS` for another dialog,
and `touch` for one that appears under the finger, at the instant of the next touch on
a button of the app. Those of `app_updated`: `id` (the default), `text`, `all`, `move`
or `swap`. Those of `phone_slow`, `phone_reboot` and `dump_fails`: a time.
"""

from collections.abc import Callable, Sequence

from testbed.clock import Clock
from testbed.model.types import parse_seconds
from testbed.virtual.phone.apps import App, Button
from testbed.virtual.phone.dialogs import DIALOGS, Dialog
from testbed.virtual.stage import Stage

PHONE = "phone"
_SLOW_S = 5.0
_REBOOT_S = 8.0
_NO_DUMP_S = 1.0
UPDATES = ("id", "text", "all", "move", "swap")


class Troubles:
    """The faults of one phone; each holds for the phone or for one device's app."""

    def __init__(self, stage: Stage, clock: Clock) -> None:
        self._stage = stage
        self._clock = clock
        self._is_restarting = False  # whether the reboot that is asked for was begun
        self._up_s = 0.0

    def value(self, kind: str, device: str = PHONE) -> str | None:
        """Return the value of a fault of the phone or of a device's app, or None."""
        for target in (PHONE, device):
            value = self._stage.fault(kind, target)
            if value is not None:
                return value
        return None

    def dialog(self, kind: str, device: str) -> tuple[Dialog, bool] | None:
        """Return the dialog of an active fault, and whether it waits for a touch."""
        value = self.value(kind, device)
        if value is None:
            return None
        words = value.split()
        named = DIALOGS[kind]
        name = next((w for w in words if w in named), "")
        return named[name], "touch" in words

    def update(self, device: str) -> str:
        """Return how an update changed a device's app: '' for not at all."""
        value = self.value("app_updated", device)
        if value is None:
            return ""
        return next((w for w in value.split() if w in UPDATES), UPDATES[0])

    def slow_s(self) -> float:
        """Return by how much every answer of the phone is late."""
        return self._time("phone_slow", _SLOW_S)

    def no_dump_s(self) -> float:
        """Return after how long a dump gives up, 0 when it works."""
        return self._time("dump_fails", _NO_DUMP_S)

    def is_stale(self) -> bool:
        """Say whether a dump gives what an earlier one gave."""
        return self.value("stale_dump") is not None

    def is_down(self, on_restart: Callable[[], None]) -> bool:
        """Say whether the phone is off the network or restarts.

        on_restart  called once when it begins to restart
        """
        up_again_s = self._time("phone_reboot", _REBOOT_S)
        if up_again_s and not self._is_restarting:
            self._up_s = self._clock.monotonic_s() + up_again_s
            on_restart()
        self._is_restarting = up_again_s > 0
        restarts = self._clock.monotonic_s() < self._up_s
        return restarts or self.value("phone_offline") is not None

    def _time(self, kind: str, default_s: float) -> float:
        value = self.value(kind)
        if value is None:
            return 0.0
        try:
            return parse_seconds(value)
        except ValueError:
            return default_s


def newer(version: str) -> str:
    """Return the version after this one: '4.11.2' -> '4.11.3'."""
    head, dot, last = version.rpartition(".")
    return f"{head}{dot}{int(last) + 1}" if last.isdigit() else f"{version}.1"


def placed(app: App, update: str) -> Sequence[tuple[Button, str, str, int]]:
    """Return each button of an app with its name, its text and its row.

    update  how an update changed the app, see `Troubles.update`
    """
    rows = [(b, b.name, b.text, i) for i, b in enumerate(app.buttons)]
    if update in ("id", "all"):
        rows = [(b, f"{n.removeprefix('btn_')}_button", t, i) for b, n, t, i in rows]
    if update in ("text", "all"):
        rows = [(b, n, f"{t} now", i) for b, n, t, i in rows]
    if update == "move":
        rows = [(b, n, t, len(rows) - i) for b, n, t, i in rows]
    if update == "swap":
        names = [n for _, n, _, _ in rows]
        moved = names[1:] + names[:1]
        rows = [(b, n, t, i) for (b, _, t, i), n in zip(rows, moved, strict=True)]
    return rows
