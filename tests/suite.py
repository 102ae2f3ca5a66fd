"""Rules for the whole suite: what may be skipped, and which files are begun first.

`setup.sh` brings the tools and the lab runs in namespaces of its own, so a test that
does not find them has found a fault: it fails, and is left out by `-m "not live"` only.
"""

import re
from collections.abc import Collection

# What no setup can bring. All else that is skipped is a failure.
MAY_BE_SKIPPED = (
    r"TESTBED_PUBLIC_DATA",
    r"the public (data|captures)",
    r"only root can",
    r"this kernel delays by itself",
    r"plain users get no namespaces here",
)

# The longest first: one that is begun last keeps all other processes waiting.
LONGEST_FIRST = (
    "test_live_doctor.py",
    "test_live_campaign.py",
    "test_live_serve.py",
    "test_bench_faultmatrix.py",
    "test_torture_live.py",
    "test_power_cut.py",
    "test_cli_serve.py",
    "test_live_pauses.py",
    "test_live_campaigns.py",
    "test_live_clocks.py",
    "test_torture.py",
    "test_live_life.py",
    "test_phone_over_adb.py",
    "test_room_hearing.py",
    "test_house_hardness.py",
    "test_resume.py",
    "test_pcap_exact.py",
    "test_pcap_fuzz.py",
)


def may_be_skipped(reason: str) -> bool:
    """Say whether a test may be left out for this reason."""
    return any(re.search(known, reason) for known in MAY_BE_SKIPPED)


def in_order(names: list[str], live: Collection[str] = ()) -> list[int]:
    """Return the indices of files in the order in which they are begun.

    After the longest come those in which a test is `live`: they wait more than they
    work, which others use that are begun beside them.
    """
    last = len(LONGEST_FIRST)
    place = dict.fromkeys(live, last) | {n: k for k, n in enumerate(LONGEST_FIRST)}
    return sorted(range(len(names)), key=lambda k: place.get(names[k], last + 1))
