"""Dialogs of Android itself that may cover any app, and how they are closed.

They are looked for always, beside the pop-ups that a profile declares. Only buttons
that leave things as they are get pressed; a permission is denied unless the profile
says `permissions: allow`. A dialog that says the app has failed is closed too, but what
was under way has failed with it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from testbed.model.ladder import Box, Seen, climb
from testbed.model.steps import Rung, Selector, Step

_LATER = (
    *("Later", "Not now", "No thanks", "Remind me later", "Cancel", "Dismiss"),
    *("Got it", "OK"),
)
_PERMISSION_APPS = (
    "com.android.permissioncontroller",
    "com.google.android.permissioncontroller",
    "com.android.packageinstaller",
    "com.google.android.packageinstaller",
)
_DENY = (
    "permission_deny_button",
    "permission_deny_and_dont_ask_again_button",
    "permission_no_upgrade_button",
    "permission_no_upgrade_and_dont_ask_again_button",
)
_ALLOW = (
    "permission_allow_foreground_only_button",
    "permission_allow_button",
    "permission_allow_one_time_button",
    "permission_allow_always_button",
)
_TITLES = {
    "Application Not Responding: ": "app not responding",
    "Application Error: ": "app crashed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemDialog:
    """One kind of dialog.

    packages  whose window it may be
    says      what one of its texts must contain, in any case
    buttons   what closes it, the best first
    is_fatal  whether it says that the app has failed
    """

    name: str
    packages: tuple[str, ...]
    says: str
    buttons: Selector
    is_fatal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupt:
    """A dialog that is on the screen, and where to touch to close it."""

    name: str
    button: str
    text: str
    point: tuple[int, int]
    box: Box
    is_fatal: bool

    def words(self) -> str:
        """Return it for the journal: permission dialog, closed by text 'Deny'."""
        return f"{self.name}, closed by {self.button}"


def _ids(package: str, *names: str) -> tuple[Rung, ...]:
    return tuple(Rung(id=f"{package}:id/{name}") for name in names)


def _texts(*texts: str) -> tuple[Rung, ...]:
    return tuple(Rung(text=text) for text in texts)


def _all_ids(names: tuple[str, ...]) -> tuple[Rung, ...]:
    return tuple(r for package in _PERMISSION_APPS for r in _ids(package, *names))


SYSTEM_DIALOGS = (
    SystemDialog(
        name="app not responding",
        packages=("android",),
        says=r"isn.t responding|not responding",
        buttons=Selector(
            any=(*_ids("android", "aerr_close", "aerr_wait"), *_texts("Close app"))
        ),
        is_fatal=True,
    ),
    SystemDialog(
        name="app crashed",
        packages=("android",),
        says=r"has stopped|keeps stopping",
        buttons=Selector(
            any=(*_ids("android", "aerr_close", "aerr_restart"), *_texts("OK"))
        ),
        is_fatal=True,
    ),
    SystemDialog(
        name="permission dialog",
        packages=_PERMISSION_APPS,
        says=r"",
        buttons=Selector(any=(*_all_ids(_DENY), *_texts("Deny", "Don't allow"))),
    ),
    SystemDialog(
        name="battery dialog",
        packages=("com.android.systemui", "android", "com.android.settings"),
        says=r"battery",
        buttons=Selector(any=_texts(*_LATER)),
    ),
    SystemDialog(
        name="system update",
        packages=(
            *("com.google.android.gms", "com.android.systemui", "android"),
            *("com.wssyncmldm", "com.sec.android.soagent", "com.android.settings"),
        ),
        says=r"update",
        buttons=Selector(any=_texts(*_LATER)),
    ),
)

# What `permissions: allow` of a profile adds to its own interrupts; those come first.
ALLOW_PERMISSIONS = Step(tap=Selector(any=_all_ids(_ALLOW)))


def find_interrupt(views: Iterable[Seen], size: tuple[int, int]) -> Interrupt | None:
    """Return the dialog of Android that covers the screen, if it can be closed.

    size  of the screen in pixels
    """
    views = tuple(views)
    for dialog in SYSTEM_DIALOGS:
        its = [v for v in views if v.package in dialog.packages]
        texts = [v.text for v in its if v.text]
        says = [t for t in texts if re.search(dialog.says, t, re.IGNORECASE)]
        hit = climb(dialog.buttons, its, package="", size=size)
        if says and hit is not None and hit.box is not None:
            return Interrupt(
                name=dialog.name,
                button=hit.rung.words(),
                text=says[0],
                point=hit.point,
                box=hit.box,
                is_fatal=dialog.is_fatal,
            )
    return None


def covers(focus: str, package: str) -> str:
    """Return what took the place of an app, in words; '' when nothing has.

    focus    title of the window in front; '' when it is not known
    package  of the app that should be there; '' when none is expected
    """
    if not focus or not package:
        return ""
    for title, name in _TITLES.items():
        if focus.startswith(title):
            return f"{name}: {focus.removeprefix(title)}"
    owner = package_of(focus)
    if not owner or owner == package:
        return ""
    return "permission dialog" if owner in _PERMISSION_APPS else owner


def has_failed(focus: str) -> bool:
    """Say whether the window in front says that an app has failed."""
    return focus.startswith(tuple(_TITLES))


def is_of_system(focus: str) -> bool:
    """Say whether the window in front is a dialog of Android itself."""
    return package_of(focus) in {p for d in SYSTEM_DIALOGS for p in d.packages}


def package_of(focus: str) -> str:
    """Return the package of a window's title; '' when it has none."""
    owner, slash, _ = focus.partition("/")
    return owner if slash else ""
