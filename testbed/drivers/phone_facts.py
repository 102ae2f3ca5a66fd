"""What a phone and its apps say of themselves, as values. Pure functions, no I/O."""

import re
from collections.abc import Sequence

from testbed.model.inspection import AppFacts, PhoneFacts

# Before Android 9 another form, whose number is of the moment and of no signature
_SIGNER = r"signatures:\[([\w ,:]+)\]"
_SCALES = ("window_animation_scale", "transition_animation_scale")
# what is read of its properties; the others tell more of its owner than of screens
PROPERTIES = (
    "ro.product.model",
    "ro.build.version.release",
    "persist.sys.locale",
    "ro.product.locale",
)
# one command each, in the order in which `phone_facts` takes the answers
QUESTIONS = (
    "getprop",
    "wm size",
    "wm density",
    "dumpsys window policy",
    "settings get system font_scale",
    "settings get system system_locales",
    "settings get global stay_on_while_plugged_in",
    *(f"settings get global {scale}" for scale in _SCALES),
    "settings get global animator_duration_scale",
)


def phone_facts(answers: Sequence[str]) -> PhoneFacts:
    """Return the facts that the answers to QUESTIONS hold."""
    properties, size, density, policy, *settings = answers
    font, locales, stays_on, *animations = (_setting(s) for s in settings)
    said = dict(re.findall(r"^\[(.+?)\]: \[(.*?)\]", properties, re.MULTILINE))
    known = {name: said[name] for name in PROPERTIES if name in said}
    width, height = _last(r"(\d+)x(\d+)", size) or ("0", "0")
    (dpi,) = _last(r"(?:density:\s*)(\d+)", density) or ("0",)
    locale = locales or known.get("persist.sys.locale", "")
    return PhoneFacts(
        model=known.get("ro.product.model", ""),
        android=known.get("ro.build.version.release", ""),
        width=int(width),
        height=int(height),
        density=int(dpi),
        locale=(locale or known.get("ro.product.locale", "")).split(",")[0],
        font_scale=_number(font or "1"),
        awake=_is_awake(policy),
        locked=_is_locked(policy),
        stays_on=stays_on not in ("", "0"),
        animations=tuple(animations),
    )


def app_facts(package: str, dump: str) -> AppFacts:
    """Return what `dumpsys package PACKAGE` says of an app."""
    return AppFacts(
        package=package,
        version=_first(r"versionName=(\S+)", dump),
        version_code=_first(r"versionCode=(\d+)", dump),
        signer=_first(_SIGNER, dump),
    )


def _is_awake(policy: str) -> bool:
    """Say whether the screen is on; where the phone does not say it, it is."""
    said = re.search(r"(?:screenState|interactiveState|mAwake)=(\w+)", policy)
    return said is None or said[1].endswith(("_ON", "_AWAKE", "true"))


def _is_locked(policy: str) -> bool:
    said = re.search(r"\b(?:mShowingLockscreen|mIsShowing|showing)=(\w+)", policy)
    return said is not None and said[1] == "true"


def _setting(text: str) -> str:
    value = text.strip()
    return "" if value == "null" else value


def _number(text: str) -> str:
    """Return a number in one spelling: phones say 1.0, 1 and 1.00."""
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1].strip() if found else ""


def _last(pattern: str, text: str) -> tuple[str, ...] | None:
    """Return the groups of the last match: an override comes after what is built in."""
    found = list(re.finditer(pattern, text))
    return found[-1].groups() if found else None
