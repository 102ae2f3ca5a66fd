"""Judge what was found: which candidates are identifiers, and of which kind."""

import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator

from analysis.exporters.identifiers.model import Identifier
from analysis.exporters.identifiers.public import (
    Products,
    is_local_name,
    is_public_address,
    is_public_mac,
)
from analysis.exporters.identifiers.texts import Candidate

PACKETS = "packets"  # the source of what stands in their headers
MOST_PUBLIC = 4096  # addresses of the cloud: the busiest; scans meet far more
_LEAST_NAME = 4  # a shorter one stands in every text
_MOST_B = 2048
_ARPA4, _ARPA6 = ("in-addr", "arpa"), ("ip6", "arpa")


class Gathered:
    """Identifiers of a campaign, as they are found.

    products  words that are no secrets
    names     'keep-public': names of the cloud stay; 'pseudonym': they are domains too
    """

    def __init__(self, products: Products, names: str) -> None:
        self._products = products
        self._keep_public = names == "keep-public"
        self._found: dict[tuple[str, str], str] = {}
        self._names: dict[str, str] = {}
        self._seen: set[tuple[str, str]] = set()
        self._zones: set[str] = set()
        self._public: Counter[tuple[str, str]] = Counter()

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
        if kind == "name":
            self._names.setdefault(value, source)
        elif kind == "zone":
            self._zone(value, source)
        elif kind == "mac":
            self._mac(value, source)
        elif kind in ("ipv4", "ipv6"):
            self._address(kind, value, source, n)
        elif kind == "path" or (value.isprintable() and value not in self._products):
            self._keep(kind, value, source)

    def identifiers(self) -> Iterator[Identifier]:
        """Yield all that was found and counts."""
        for name, source in sorted(self._names.items()):
            self._name(name, source)
        busiest = sorted(self._public.items(), key=lambda each: (-each[1], each[0]))
        for (kind, value), _ in busiest[:MOST_PUBLIC]:
            self._keep(kind, value, PACKETS)
        for (kind, value), source in self._found.items():
            yield Identifier(kind=kind, value=value, source=source)

    def _keep(self, kind: str, value: str, source: str) -> None:
        self._found.setdefault((kind, value), source)

    def _zone(self, value: str, source: str) -> None:
        zone = value.lower().strip(".")
        self._zones.add(zone)
        if "." in zone:
            self._keep("domain", zone, source)

    def _mac(self, value: str, source: str) -> None:
        try:
            found = Identifier(kind="mac", value=value)
        except ValueError:
            return
        if not is_public_mac(found.binary):
            self._keep("mac", found.value, source)

    def _address(self, kind: str, value: str, source: str, n: int) -> None:
        try:
            address = ipaddress.ip_address(value.split("%")[0])
        except ValueError:
            return
        if is_public_address(address):
            return
        if address.is_global:
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
        if not is_local_name(whole, tuple(sorted(self._zones))):
            if not self._keep_public:
                self._keep("domain", whole, source)
            return
        self._label(labels[0], source)
        if len(labels) > 2:
            self._keep("domain", whole, source)
            if len(labels) > 3 or labels[-1] != "local":
                self._keep("domain", ".".join(labels[1:]), source)

    def _is_address(self, name: str, labels: list[str], source: str) -> bool:
        """Take the address that a name is of; say whether it is of one."""
        end = tuple(label.lower() for label in labels[-2:])
        if end == _ARPA4:
            value = ".".join(labels[-3:-7:-1])
            self._address("ipv4", value, source, 1)
        elif end == _ARPA6:
            digits = "".join(labels[-3::-1])
            self._address("ipv6", _grouped(digits), source, 1)
        elif name.replace(".", "").isdigit() or ":" in name:
            self._address("ipv4", name.strip("[]"), source, 1)
        else:
            return False
        return True

    def _instance(self, text: str, source: str) -> None:
        """Take what a device calls its service, as '44650D7B2013@Kitchen'."""
        for part in text.split("@"):
            if " " in part or "'" in part:
                self.take("person", part, source)
            else:
                self._label(part, source)

    def _label(self, label: str, source: str) -> None:
        if len(label) >= _LEAST_NAME and label not in self._products:
            self._keep("hostname", label, source)


def _grouped(digits: str) -> str:
    """Write 32 digits as an IPv6 address."""
    return ":".join(digits[at : at + 4] for at in range(0, len(digits), 4))
