"""Judge what was found: which candidates are identifiers, and of which kind."""

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from analysis.exporters.identifiers.everyday import WORDS
from analysis.exporters.identifiers.model import Identifier
from analysis.exporters.identifiers.naming import is_everyday, parts_of
from analysis.exporters.identifiers.public import (
    Products,
    is_known_group,
    is_local_name,
    is_public_address,
    is_public_mac,
)
from analysis.exporters.identifiers.texts import Candidate
from analysis.exporters.identifiers.zones import addresses_in, dynamic_zone

PACKETS = "packets"  # the source of what stands in their headers
MOST_PUBLIC = 4096  # addresses of the cloud: the busiest; scans meet far more
_LEAST_NAME = 3  # of a shorter one a search could find nothing
_MOST_B = 2048
# kinds of which everyday words tell nothing
_WORDED = ("hostname", "ssid", "account", "secret", "serial")
_NAMING = ("hostname", "person")  # of which a device's model may be one by default
_PHRASED = ("person", "place")  # nor do phrases of them
_MOST_NETWORKS, _LEAST_BITS, _HOST_BITS = 256, 32, 64
# what routers give out as the zone of any home, and a provider's whole public
_ANYBODYS = frozenset(
    {
        *("fritz.box", "speedport.ip", "easy.box", "o2.box", "home.arpa", "arpa"),
        *("router.local", "home.local", "local", "localdomain", "lan", "home"),
        *("com", "net", "org", "de", "box", "internal"),
    }
)
_LOGINS = ("account", "secret", "token", "serial", "uuid")
_SIX_PAIRS = re.compile(r"[0-9A-Fa-f]{2}([:\-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}")
_FOUR_NUMBERS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_MARKS = (":", "-")  # of a MAC that is written down
_ARPA4, _ARPA6 = ("in-addr", "arpa"), ("ip6", "arpa")


class Gathered:
    """Identifiers of a campaign, as they are found.

    products  words that are no secrets
    names     'keep-public': names of the cloud stay; 'pseudonym': they are domains too
    """

    def __init__(self, products: Products, names: str) -> None:
        self._products = products
        self._told = Products({})  # by devices of themselves
        self._keep_public = names == "keep-public"
        self._found: dict[tuple[str, str], str] = {}
        self._names: dict[str, str] = {}
        self._bare: dict[str, str] = {}
        self._seen: set[tuple[str, str]] = set()
        self._zones: set[str] = set()
        self._public: Counter[tuple[str, str]] = Counter()
        self._networks: set[ipaddress.IPv6Network] = set()
        self._takers: dict[str, Callable[[str, str], object]] = {
            "name": self._names.setdefault,
            "machine": self._machine,
            "bare": self._bare.setdefault,
            "zone": self._zone,
            "mac": self._mac,
            "network": self._network,
            "product": self._product,
            "person": self._person,
        }

    def take_all(self, found: Iterable[Candidate], source: str) -> None:
        """Take what a reader found in one source."""
        for kind, value in found:
            self.take(kind, value, source)

    def take(self, kind: str, value: str, source: str, n: int = 1) -> None:
        """Take one candidate; `n` packets had it."""
        if n == 1:
            if (kind, value) in self._seen:
                return
            self._seen.add((kind, value))
        value = value.strip(" \t\r\n\0") if kind != "ssid" else value.strip("\0")
        if not value or len(value) > _MOST_B or "\ufffd" in value or "${" in value:
            return
        kind = _kind_by_form(kind, value)
        if kind in ("ipv4", "ipv6", "own"):
            self._address(value, source, n, own=kind == "own")
        elif kind in self._takers:
            self._takers[kind](value, source)
        elif kind == "path" or self._tells(kind, value):
            self._keep(kind, value, source)

    def identifiers(self) -> Iterator[Identifier]:
        """Yield all that was found and counts."""
        for name, source in sorted(self._names.items()):
            self._name(name, source)
        self._bare_macs()
        busiest = sorted(self._public.items(), key=lambda each: (-each[1], each[0]))
        for row, ((kind, value), _) in enumerate(busiest):
            if row < MOST_PUBLIC or self._is_at_home(value):
                self._keep(kind, value, PACKETS)
        for (kind, value), source in self._found.items():
            if kind in _NAMING and value in self._told:
                continue  # it was told later what a maker calls it
            yield Identifier(kind=kind, value=value, source=source)

    def _keep(self, kind: str, value: str, source: str) -> None:
        self._found.setdefault((kind, value), source)

    def _tells(self, kind: str, value: str) -> bool:
        """Say whether a text is more than a word that everybody uses."""
        if not value.isprintable() or value in self._products:
            return False
        if kind in _PHRASED and any(char.isalpha() for char in value):
            return not is_everyday(value)
        return kind not in _WORDED or value.lower() not in WORDS

    def _person(self, value: str, source: str) -> None:
        if self._tells("person", value):
            self._keep("person", value, source)
            for part in parts_of(value):
                if self._tells("person", part):
                    self._keep("person", part, source)

    def _product(self, value: str, source: str) -> None:
        self._told.add(value)

    def _network(self, value: str, source: str) -> None:
        """Take a network of the home, whose addresses are all its own."""
        try:
            network = ipaddress.IPv6Network(value, strict=False)
        except ValueError:
            return
        sized = _LEAST_BITS <= network.prefixlen <= _HOST_BITS
        if not network.is_global and not network.is_link_local:
            self._address(str(network.network_address), source, 1)
        elif network.is_global and sized and len(self._networks) < _MOST_NETWORKS:
            self._networks.add(network)
            self._address(str(network.network_address), source, 1, own=True)

    def _is_at_home(self, value: str) -> bool:
        if ":" not in value:
            return False
        address = ipaddress.IPv6Address(value)
        return any(address in network for network in self._networks)

    def _zone(self, value: str, source: str) -> None:
        zone = value.lower().strip(".")
        if zone in _ANYBODYS or not zone or not zone.isprintable():
            return
        self._zones.add(zone)
        if "." in zone:
            self._keep("domain", zone, source)
        else:
            self._label(zone, source)

    def _machine(self, name: str, source: str) -> None:
        """Take what a machine at home calls itself, whatever zone it says it is in."""
        labels = [each for each in name.replace("\0", ".").split(".") if each]
        own_zone = len(labels) == 2 and labels[1].isalpha() and len(labels[1]) > 3
        if (len(labels) < 3 and not own_zone) or labels[-1].isdigit():
            self._names.setdefault(name, source)
            return
        self._label(labels[0], source)
        self._keep("domain", ".".join(labels), source)

    def _bare_macs(self) -> None:
        """Take twelve digits that are a MAC of a maker whose devices are there."""
        makers = {value[:8] for kind, value in self._found if kind == "mac"}
        for text, source in sorted(self._bare.items()):
            mac = Identifier(kind="mac", value=text).value
            if mac[:8] in makers:
                self._mac(mac, source)

    def _mac(self, value: str, source: str) -> None:
        try:
            found = Identifier(kind="mac", value=value)
        except ValueError:
            return
        if not is_public_mac(found.binary):
            self._keep("mac", found.value, source)
            return
        written = found.binary[0] & 1 and any(mark in value for mark in _MARKS)
        if written and not is_known_group(found.binary):
            self._keep("serial", value, source)  # such as a number of HomeKit

    def _address(self, value: str, source: str, n: int, own: bool = False) -> None:
        """Take an address.

        own  it is the home's, be it public or not; others are counted
        """
        try:
            address = ipaddress.ip_address(value.split("%")[0])
        except ValueError:
            return
        if is_public_address(address):
            return
        if address.is_global and not own:
            self._public[f"ipv{address.version}", str(address)] += n
        else:
            self._keep(f"ipv{address.version}", str(address), source)

    def _name(self, name: str, source: str) -> None:
        """Judge a name: labels apart by NUL as DNS has them, or a text with dots."""
        labels = name.split("\0") if "\0" in name else name.strip(".").split(".")
        labels = [label for label in labels if label]
        if not labels or self._is_address(name, labels, source):
            return
        services = [row for row, each in enumerate(labels) if each.startswith("_")]
        if services:
            self._instance(".".join(labels[: services[0]]), source)
            return
        whole = ".".join(labels)
        if self._is_of_home(whole.lower(), source):
            return
        if not is_local_name(whole, tuple(sorted(self._zones))):
            if not self._keep_public:
                self._keep("domain", whole, source)
            return
        self._label(labels[0], source)
        zone = ".".join(labels[1:])
        if len(labels) > 2:
            self._keep("domain", whole, source)
            if (len(labels) > 3 or labels[-1] != "local") and not _is_anybodys(zone):
                self._keep("domain", zone, source)

    def _is_of_home(self, name: str, source: str) -> bool:
        """Take a public name that leads to the home; say whether it is one."""
        held = addresses_in(name)
        if held:
            for address in held:
                self._address(address, source, 1, own=True)
            self._label(name.partition(".")[0], source)
            self._keep("domain", name, source)
            return True
        zone = dynamic_zone(name)
        if zone:
            for label in name.removesuffix(f".{zone}").split("."):
                self._label(label, source)
            self._keep("domain", name, source)
        return bool(zone)

    def _is_address(self, name: str, labels: list[str], source: str) -> bool:
        """Take the address that a name is of; say whether it is of one."""
        end = tuple(label.lower() for label in labels[-2:])
        if end == _ARPA4:
            value = ".".join(labels[-3:-7:-1])
            self._address(value, source, 1)
        elif end == _ARPA6:
            digits = "".join(labels[-3::-1])
            self._address(_grouped(digits), source, 1)
        elif name.replace(".", "").isdigit() or ":" in name:
            self._address(name.strip("[]"), source, 1)
        else:
            return False
        return True

    def _instance(self, text: str, source: str) -> None:
        """Take what a device calls its service, as '44650D7B2013@Kitchen'."""
        for part in text.split("@"):
            if " " in part or "'" in part or "\u2019" in part:
                self.take("person", part, source)
            else:
                self._label(part, source)

    def _label(self, label: str, source: str) -> None:
        if label.isdigit() or len(label) < _LEAST_NAME:
            return
        if self._tells("hostname", label):
            self._keep("hostname", label, source)


def _kind_by_form(kind: str, value: str) -> str:
    """Return the kind of a text: a token that is a MAC is that, whoever says it.

    It would become a text otherwise, and another one than the MAC in headers.
    """
    if kind not in _LOGINS:
        return kind
    if _SIX_PAIRS.fullmatch(value) and not int(value[:2], 16) & 1:
        return "mac"
    return "ipv4" if _FOUR_NUMBERS.fullmatch(value) else kind


def _is_anybodys(zone: str) -> bool:
    return zone.lower() in _ANYBODYS


def _grouped(digits: str) -> str:
    """Write 32 digits as an IPv6 address."""
    return ":".join(digits[at : at + 4] for at in range(0, len(digits), 4))
