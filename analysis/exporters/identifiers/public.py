"""What looks like an identifier and tells nothing: constants, products, the cloud."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

_CONSTANTS = frozenset(
    ipaddress.ip_address(text)
    for text in ("8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9")
)
_LOCAL_ENDS = (
    "local",
    "lan",
    "home",
    "localdomain",
    "internal",
    "intranet",
    "private",
    "corp",
    "box",
    "home.arpa",
)
_NOTHING = frozenset(
    {
        *("null", "none", "true", "false", "unknown", "default", "undefined", "test"),
        *("admin", "root", "guest", "user", "anonymous", "nobody", "localhost"),
        *("device", "basic", "bearer", "deleted", "router", "gateway", "controller"),
        *("wpad", "isatap", "proxy", "workgroup", "msbrowse"),
        *("local", "lan", "home", "wifi", "wlan", "internal", "public", "private"),
        *("00000000", "0000000000", "unassigned", "unset", "empty", "string"),
    }
)
# names that SSH gives to algorithms look like mail addresses
_ALGORITHMS = ("@openssh.com", "@lysator.liu.se", "@libssh.org")
_SEPARATORS = re.compile(r"[\s_.\-]+")
_VIRTUAL_ROUTER = b"\x00\x00\x5e"
# what apps of Android get instead of the real one, and those that imports make up
_STAND_INS = b"\x02\x00\x00\x00\x00"
# IPv4, IPv6, bridges, Cisco, PTP, industry, NetBEUI, AppleTalk, loops, everybody
_GROUPS = tuple(
    bytes.fromhex(each)
    for each in (
        *("01005e", "3333", "0180c2", "01000c", "011b19", "010ccd", "010ecf"),
        *("010081", "01e02f", "014096", "010b85", "03000000", "0900", "ab0000"),
        *("cf0000", "ffffffffffff"),
    )
)


def is_known_group(raw: bytes) -> bool:
    """Say whether six bytes are the MAC of a group that protocols really have.

    Numbers of units are written like MACs, too, and may have the flag of a group.
    """
    return raw.startswith(_GROUPS)


def is_public_mac(raw: bytes) -> bool:
    """Say whether six bytes name no single device."""
    group = raw[0] & 1
    stand_in = raw[:5] == _STAND_INS or raw[:3] == _VIRTUAL_ROUTER
    return bool(group or not any(raw) or stand_in)


def is_public_address(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> bool:
    """Say whether an address is of no single host, or everybody's resolver."""
    if address in _CONSTANTS or address.is_multicast or address.is_loopback:
        return True
    if address.version == 4:
        return int(address) >> 24 == 0 or int(address) >> 28 == 15  # masks of networks
    return int(address) < 1 << 96  # unspecified, and addresses that only wrap IPv4


def is_local_name(name: str, ends: tuple[str, ...] = ()) -> bool:
    """Say whether a name with dots is of a home, and of no public zone.

    ends  further zones of the home, as a DHCP server tells them
    """
    lowered = name.lower().rstrip(".")
    if "." not in lowered:
        return True
    return any(lowered.endswith(f".{end}") for end in (*_LOCAL_ENDS, *ends))


class Products:
    """Words of products and of the experiment, which are no secrets.

    A device that is called 'Echo Dot' by its maker, and by its owner, tells nothing.
    """

    def __init__(self, campaign: Mapping[str, Any]) -> None:
        self._words: set[str] = set()
        self._phrases: list[str] = []
        profiles = campaign.get("profiles")
        profiles = profiles if isinstance(profiles, Mapping) else {}
        listed = campaign.get("devices")
        devices = listed if isinstance(listed, list) else []
        for about in (*profiles.values(), *devices):
            if isinstance(about, Mapping):
                self._take(about)
        for key in ("campaign", "form"):
            self._words.add(_bare(str(campaign.get(key, ""))))

    def _take(self, about: Mapping[str, Any]) -> None:
        for key in ("device", "vendor", "model", "category", "firmware", "app_version"):
            self._words.add(_bare(str(about.get(key) or "")))
        app = about.get("app")
        if isinstance(app, Mapping):
            self._words |= {_bare(str(value)) for value in app.values()}
        phrase = f"{about.get('vendor') or ''} {about.get('model') or ''}"
        self._phrases.append(f" {_spaced(phrase)} ")

    def add(self, text: str) -> None:
        """Take what a device itself says that it is: 'HS110(EU)', so 'HS110' too."""
        self._words.add(_bare(text))
        self._words.add(_bare(text.partition("(")[0]))
        self._phrases.append(f" {_spaced(text)} ")

    def __contains__(self, text: str) -> bool:
        """Say whether a text is a product's or means nothing."""
        bare = _bare(text)
        if text.endswith(_ALGORITHMS):
            return True
        if not bare or bare in self._words or text.lower() in _NOTHING:
            return True
        return any(f" {_spaced(text)} " in phrase for phrase in self._phrases)


def _bare(text: str) -> str:
    return _SEPARATORS.sub("", text).lower()


def _spaced(text: str) -> str:
    return _SEPARATORS.sub(" ", text).strip().lower()
