"""Dialogs that cover an app, as data: what they show and what their buttons do.

Packages, resource ids and window titles are those of Android 10.
"""

from dataclasses import dataclass
from enum import Enum

_CONTROLLER = "com.android.permissioncontroller"


class Press(Enum):
    """What a button of a dialog does, beside closing it."""

    CLOSE = "close"
    GRANT = "grant"  # the dialog does not come again
    END_APP = "end_app"


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogButton:
    """One button; an id without ':id/' is of the dialog's package."""

    id: str
    text: str
    press: Press = Press.CLOSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialog:
    """One dialog.

    package  '' means the app's own
    window   its title for the window manager; '' means an activity of the package
    title    what it says; {app} is replaced by the app's title
    """

    package: str = ""
    window: str = ""
    title_id: str
    title: str
    buttons: tuple[DialogButton, ...]


_RATE = Dialog(
    title_id="popup_title",
    title="Rate this app",
    buttons=(DialogButton(id="popup_not_now", text="Not now"),),
)
_FOREIGN = Dialog(
    package="com.example.assistant",
    title_id="tip_title",
    title="Meet your assistant",
    buttons=(DialogButton(id="tip_open", text="Try it"),),
)
_LOW_BATTERY = Dialog(
    package="com.android.systemui",
    title_id="android:id/alertTitle",
    title="Battery is low",
    buttons=(
        DialogButton(id="android:id/button1", text="Turn on Battery Saver"),
        DialogButton(id="android:id/button2", text="No thanks"),
    ),
)
_SYSTEM_UPDATE = Dialog(
    package="com.google.android.gms",
    title_id="com.google.android.gms:id/suc_layout_title",
    title="System update available",
    buttons=(
        DialogButton(id="install", text="Restart now"),
        DialogButton(id="later", text="Later"),
    ),
)
_PERMISSION = Dialog(
    package=_CONTROLLER,
    title_id="permission_message",
    title="Allow {app} to access this device's location?",
    buttons=(
        DialogButton(id="permission_allow_button", text="Allow", press=Press.GRANT),
        DialogButton(id="permission_deny_button", text="Deny"),
    ),
)
_NOT_RESPONDING = Dialog(
    package="android",
    window="Application Not Responding: {package}",
    title_id="android:id/alertTitle",
    title="{app} isn't responding",
    buttons=(
        DialogButton(id="android:id/aerr_close", text="Close app", press=Press.END_APP),
        DialogButton(id="android:id/aerr_wait", text="Wait"),
    ),
)
_CRASHED = Dialog(
    package="android",
    window="Application Error: {package}",
    title_id="android:id/alertTitle",
    title="{app} has stopped",
    buttons=(
        DialogButton(id="android:id/aerr_close", text="Close app", press=Press.END_APP),
    ),
)

# fault kind -> the word in its value that names the dialog -> the dialog
DIALOGS = {
    "anr": {"": _NOT_RESPONDING, "crash": _CRASHED},
    "permission_dialog": {"": _PERMISSION},
    "popup": {
        "": _RATE,
        "foreign": _FOREIGN,
        "low_battery": _LOW_BATTERY,
        "system_update": _SYSTEM_UPDATE,
    },
}
