"""What phones of several Android versions say of themselves, in their own words."""

import pytest

from testbed.drivers.phone_facts import QUESTIONS, app_facts, phone_facts

PROPERTIES = """\
[persist.sys.locale]: [de-DE]
[ro.build.version.release]: [13]
[ro.product.locale]: [en-US]
[ro.product.model]: [Pixel 4a]
"""
POLICY = """\
WINDOW MANAGER POLICY STATE (dumpsys window policy)
    screenState=SCREEN_STATE_ON
    interactiveState=INTERACTIVE_STATE_AWAKE
    KeyguardServiceDelegate
      showing=false
      showingAndNotOccluded=false
"""
ANSWERS = {
    "getprop": PROPERTIES,
    "wm size": "Physical size: 1080x2340\n",
    "wm density": "Physical density: 440\n",
    "dumpsys window policy": POLICY,
    "settings get system font_scale": "1.15\n",
    "settings get system system_locales": "en-GB,de-DE\n",
    "settings get global stay_on_while_plugged_in": "7\n",
}


def facts(**changes):
    given = ANSWERS | {k.replace("__", " "): v for k, v in changes.items()}
    return phone_facts([given.get(q, "null\n") for q in QUESTIONS])


def test_a_phone_of_today_is_understood():
    found = facts()
    assert (found.model, found.android) == ("Pixel 4a", "13")
    assert (found.width, found.height, found.density) == (1080, 2340, 440)
    assert (found.locale, found.font_scale) == ("en-GB", "1.15")
    assert (found.awake, found.locked, found.stays_on) == (True, False, True)
    assert found.animations == ("", "", "")


def test_what_was_overridden_counts_and_not_what_is_built_in():
    size = "Physical size: 1080x2340\nOverride size: 720x1560\n"
    density = "Physical density: 440\nOverride density: 300\n"
    found = facts(wm__size=size, wm__density=density)
    assert (found.width, found.height, found.density) == (720, 1560, 300)


def test_an_old_phone_tells_its_language_by_a_property():
    assert facts(settings__get__system__system_locales="null\n").locale == "de-DE"


def test_one_size_of_letters_has_one_spelling():
    for said in ("1.0\n", "1\n", "null\n"):
        assert facts(settings__get__system__font_scale=said).font_scale == "1"


@pytest.mark.parametrize(
    ("policy", "awake", "locked"),
    [
        ("    screenState=SCREEN_STATE_OFF\n", False, False),
        ("    mAwake=false\n    mShowingLockscreen=true\n", False, True),
        ("    mAwake=true\n      mIsShowing=true\n", True, True),
        ("", True, False),
    ],
)  # fmt: skip
def test_a_screen_that_is_off_or_locked_is_seen(policy, awake, locked):
    found = facts(dumpsys__window__policy=policy)
    assert (found.awake, found.locked) == (awake, locked)


def test_a_phone_that_says_nothing_has_no_facts_and_does_no_harm():
    found = phone_facts([""] * len(QUESTIONS))
    assert (found.model, found.width, found.density, found.locale) == ("", 0, 0, "")


def test_the_build_of_an_app_is_that_of_its_first_section():
    dump = """\
Packages:
  Package [com.lamp] (9f3c1d):
    versionCode=23500 minSdk=21 targetSdk=33
    versionName=2.35.0
    signatures=PackageSignatures{d2a version:2, signatures:[5d2b1f0a], past:[]}
Hidden system packages:
  Package [com.lamp] (1):
    versionCode=10 minSdk=21
    versionName=1.0
"""
    found = app_facts("com.lamp", dump)
    assert (found.version, found.version_code) == ("2.35.0", "23500")
    assert found.signer == "5d2b1f0a"


def test_the_number_that_old_phones_print_is_no_signature():
    dump = "    signatures=PackageSignatures{4201dda8 [4244d3c0]}\n    versionName=1\n"
    assert app_facts("com.lamp", dump).signer == ""


def test_an_app_that_is_not_there_has_no_version():
    assert app_facts("com.lamp", "Unable to find package: com.lamp\n").version == ""
