"""What stands for what: one key, and for each address and text always the same.

pseudonyms = Pseudonyms(key)
pseudonyms.mac(bytes.fromhex("50c7bf6be019"))   # 50:c7:bf, and another half

Nothing here can be undone without the key: keep it for more data of the same lab, or
destroy it. Everything is as long as it was.
"""

import hmac
import ipaddress

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.anonymise.cryptopan import CryptoPan
from analysis.exporters.anonymise.writing import (
    Feistel,
    lowered,
    permuted,
    recased,
)

Uint32 = NDArray[np.uint32]

KEY_B = 32
_IPV4_PUBLIC, _IPV4_PRIVATE = "ipv4 public", "ipv4 private"
_IPV6_PUBLIC, _IPV6_PRIVATE = "ipv6 public", "ipv6 private"
_LOCAL, _GROUP = 2, 1
_HALF = (1 << 12, 1 << 12)
_LOCAL_HALF = (1 << 11, 1 << 11)
_SOLICITED = bytes.fromhex("ff0200000000000000000001ff")
_SOLICITED_MAC = b"\x33\x33\xff"
_EUI = b"\xff\xfe"
_WEEK_NS = 7 * 86_400 * 1_000_000_000
_MOST_WEEKS = 520  # ten years back

# IPv4 blocks that are no public addresses: (first address, bits, bits that stay)
_WHOLE = 32
_BLOCKS = tuple(
    (int(ipaddress.IPv4Network(block).network_address), bits, stay)
    for block, bits, stay in (
        ("0.0.0.0/8", 8, _WHOLE),
        ("10.0.0.0/8", 8, 8),
        ("100.64.0.0/10", 10, 10),
        ("127.0.0.0/8", 8, _WHOLE),
        ("169.254.0.0/16", 16, 16),
        ("172.16.0.0/12", 12, 12),
        ("192.168.0.0/16", 16, 16),
        ("198.18.0.0/15", 15, 15),
        ("224.0.0.0/4", 4, _WHOLE),
        ("240.0.0.0/4", 4, _WHOLE),
    )
)
# where the last byte of 255 is taken for a broadcast, and 0 for the network
_LANS = (8, 12, 16)
# labels that say what a name is for; they stay
_KEPT_LABELS = frozenset(
    (
        *("local", "lan", "home", "localdomain", "internal", "arpa", "in-addr"),
        *("ip6", "com", "net", "org", "info", "io", "corp", "intranet", "box"),
    )
)
_URN = "uuid:"  # says what follows
_NAMES = ("hostname", "domain", "email")


class Pseudonyms:
    """Pseudonyms of one key.

    key  32 secret bytes. Raises ValueError when there are not as many.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_B:
            raise ValueError(f"the key must have {KEY_B} bytes, got {len(key)}")
        self._key = key
        # whoever knows which public address is whose learns nothing of private ones
        self._pans = {
            name: CryptoPan(self._derived(f"addresses {name}"))
            for name in (_IPV4_PUBLIC, _IPV4_PRIVATE, _IPV6_PUBLIC, _IPV6_PRIVATE)
        }
        self._feistel = Feistel(self._derived("texts"))
        self._halves: dict[bytes, bytes] = {}

    def mac(self, address: bytes) -> bytes:
        """Return a MAC address, six bytes, with the same vendor.

        Addresses of groups stay, but for those that hold the end of an IPv6 address. Of
        one that is locally administered, which has no vendor, only the two flags stay.
        """
        if address[:3] == _SOLICITED_MAC:
            return address[:3] + self._half(address[3:])
        if address[0] & _GROUP or not any(address):
            return address
        if not address[0] & _LOCAL:
            return address[:3] + self._half(address[3:])
        high = int.from_bytes(address[:3])
        number = (high >> 18) << 16 | (high & 0xFFFF)
        number = self._feistel.permute(number, _LOCAL_HALF, b"local mac")
        high = (number >> 16) << 18 | (address[0] & 3) << 16 | (number & 0xFFFF)
        return high.to_bytes(3) + self._half(address[3:])

    def ipv4(self, address: int) -> int:
        """Return an IPv4 address: private for private, public for public."""
        return int(self.ipv4s(np.array([address], dtype=np.uint32))[0])

    def ipv4s(self, addresses: Uint32) -> Uint32:
        """Return IPv4 addresses, (n,) uint32 each."""
        stay = _staying(addresses)
        public = stay == 0
        found = addresses.copy()
        found[~public] = self._panned(addresses[~public], _IPV4_PRIVATE)
        astray = public
        while astray.any():  # a public one walks on until it is public again
            found[astray] = self._panned(found[astray], _IPV4_PUBLIC)
            astray = public & (_staying(found) > 0)
        low = ((np.uint64(1) << (_WHOLE - stay).astype(np.uint64)) - 1).astype(
            np.uint32
        )
        found = np.where(public, found, (addresses & ~low) | (found & low))
        found = _elsewhere(addresses, found, low)
        lan = np.isin(stay, _LANS)
        # outside of these a walk from 0 or 255 might never leave them
        found[lan] = self._in_lan(addresses[lan], found[lan])
        return found.astype(np.uint32)

    def ipv6(self, address: bytes) -> bytes:
        """Return an IPv6 address, 16 bytes, of the same scope.

        Its last three bytes go the way of a MAC address's: so an address that is made
        of a MAC, and the group in which others ask for it, still belong to it.
        """
        if address[:13] == _SOLICITED:
            return address[:13] + self._half(address[13:])
        if address[0] == 0xFF or not any(address[:15]):
            return address
        if not any(address[:10]) and address[10:12] == b"\xff\xff":
            return address[:12] + self.ipv4(int.from_bytes(address[12:])).to_bytes(4)
        return self._network(address) + self._interface(address)

    def text(self, value: str, kind: str, turn: int = 0) -> str:
        """Return a text of the same length, with alike characters.

        kind  as of an `Identifier`; addresses keep what makes them valid
        turn  which of many; another when one is taken

        The same letters in other case become the same letters in that case.
        """
        tweak = b"%d" % turn
        if kind == "ipv4":
            return self._dotted(value, tweak)
        if kind == "mac":
            raw = bytes.fromhex("".join(c for c in value if c not in ":-."))
            made = iter(self.mac(raw).hex())
            return "".join(c if c in ":-." else next(made) for c in value)
        if kind in _NAMES:
            first, *others = _parted(value)
            labels = [self._label(part, tweak) for part in others]
            return "".join((self._alike(first, tweak), *labels))
        if kind == "ipv6":
            return self._grouped(value, tweak)
        if lowered(value).startswith(_URN):
            return value[: len(_URN)] + self._alike(value[len(_URN) :], tweak)
        return self._alike(value, tweak)

    def filler(self, about: bytes, size_b: int) -> bytes:
        """Return bytes that stand for what cannot be kept."""
        made = (
            hmac.digest(self._key, b"%d|" % k + about, "sha256")
            for k in range(-(-size_b // 32))
        )
        return b"".join(made)[:size_b]

    @property
    def shift_ns(self) -> int:
        """Whole weeks, up to ten years, by which times go back: a negative number."""
        number = int.from_bytes(self._derived("weeks")[:8])
        return -(1 + number % _MOST_WEEKS) * _WEEK_NS

    def _derived(self, name: str) -> bytes:
        return hmac.digest(self._key, f"anonymise {name}".encode(), "sha256")

    def _half(self, half: bytes) -> bytes:
        """Return the three bytes that tell a unit from others of its vendor."""
        known = self._halves.get(half)
        if known is None:
            number = self._feistel.permute(int.from_bytes(half), _HALF, b"unit")
            known = self._halves[half] = number.to_bytes(3)
        return known

    def _panned(self, addresses: Uint32, kind: str) -> Uint32:
        rows = addresses.astype(">u4").view(np.uint8).reshape(-1, 4)
        found = np.ascontiguousarray(self._pans[kind].map(rows)).view(">u4").ravel()
        return found.astype(np.uint32)

    def _in_lan(self, addresses: Uint32, found: Uint32) -> Uint32:
        """Keep last bytes of 0 and 255; others walk on until they are neither."""
        network, last = found & ~np.uint32(255), found & np.uint32(255)
        own = addresses & np.uint32(255)
        special = (own == 0) | (own == 255)
        while True:
            astray = ~special & ((last == 0) | (last == 255))
            if not astray.any():
                break
            again = (addresses & ~np.uint32(255)) | last
            made = self._panned(again[astray], _IPV4_PRIVATE)
            last[astray] = made & np.uint32(255)
        return network | np.where(special, own, last)

    def _network(self, address: bytes) -> bytes:
        """Return the first eight bytes: link-local ones stay, others their kind."""
        head = address[:8]
        if head[0] == 0xFE and head[1] & 0xC0 == 0x80:
            return head
        keep = 0xFF if head[0] & 0xFE == 0xFC else 0xE0  # ULA; public 2000::/3
        made = self._pan_of(address).one(address)[:8]
        return bytes([head[0] & keep | made[0] & ~keep]) + made[1:]

    def _pan_of(self, address: bytes) -> CryptoPan:
        """Return the map of an IPv6 address: ULA and link-local ones have their own."""
        private = address[0] >> 1 == 0xFC >> 1 or address[0] == 0xFE
        return self._pans[_IPV6_PRIVATE if private else _IPV6_PUBLIC]

    def _interface(self, address: bytes) -> bytes:
        """Return the last eight bytes."""
        if address[11:13] == _EUI:
            raw = bytes([address[8] ^ _LOCAL]) + address[9:11] + address[13:]
            made = self.mac(raw)
            return bytes([made[0] ^ _LOCAL]) + made[1:3] + _EUI + made[3:]
        walked = address
        while True:  # what is not made of a MAC does not become so
            middle = self._pan_of(address).one(walked)[8:13]
            if middle[3:5] != _EUI:
                break
            walked = address[:8] + middle + address[13:]
        return middle + self._half(address[13:])

    def _label(self, part: str, tweak: bytes) -> str:
        if lowered(part) in _KEPT_LABELS or part.startswith("_"):
            return part
        return self._alike(part, tweak)

    def _alike(self, value: str, tweak: bytes) -> str:
        return recased(permuted(lowered(value), self._feistel, tweak), value)

    def _grouped(self, value: str, tweak: bytes) -> str:
        """Return an IPv6 address as text, with its first group and its zeros."""
        first, colon, rest = value.partition(":")
        groups = rest.split(":")
        if "." in groups[-1]:  # it ends as an IPv4 address does
            groups[-1] = self._dotted(groups[-1], tweak)
            return first + colon + ":".join(groups)
        choices = [choice for group in groups for choice in (*_digits(group), ":")]
        text = permuted(lowered(rest), self._feistel, tweak + b"|ipv6", choices[:-1])
        return first + colon + recased(text, rest)

    def _dotted(self, value: str, tweak: bytes) -> str:
        """Return an IPv4 address as text, each number of as many digits."""
        parts = value.split(".")
        number = int(ipaddress.IPv4Address(value))
        stay = int(_staying(np.array([number], dtype=np.uint32))[0])
        if stay == _WHOLE:
            return value
        kept = 0 if stay == 0 else 1 if stay < 16 else 2
        if stay == 12:
            kept = 2  # 172.16 to 172.31: the second number has a rule of its own
        made = parts[:kept]
        sizes = [_numbers(len(part)) for part in parts[kept:]]
        text = "".join(chr(int(part)) for part in parts[kept:])
        turned = permuted(text, self._feistel, b"dotted|" + tweak, sizes)
        return ".".join(made + [str(ord(char)) for char in turned])


def _digits(group: str) -> list[str]:
    """Return what each digit of a group may become, so that none is left out."""
    if group == "0":
        return ["0"]
    each = ["abcdef" if char.isalpha() else "0123456789" for char in group]
    return [each[0].lstrip("0"), *each[1:]] if each else []


def _numbers(digits: int) -> range:
    """Return the numbers of an address with so many digits."""
    return (range(10), range(10, 100), range(100, 256))[digits - 1]


def _elsewhere(addresses: Uint32, found: Uint32, low: Uint32) -> Uint32:
    """Return pseudonyms of which none lies in the network, of 24 bits, it stands for.

    low  the bits of each that may change

    Crypto-PAn asks the cipher the same for two lengths of a prefix where the address is
    like the pad, so that one key in fifteen keeps the third number of 192.168.x. The
    last bit of the network flips where none before it did: that depends on the bits
    before it alone, so common prefixes stay common, and the map one to one.
    """
    kept = ((addresses ^ found) & low & ~np.uint32(255)) == 0
    free = (low & np.uint32(256)) > 0
    moved: Uint32 = found ^ ((kept & free).astype(np.uint32) << np.uint32(8))
    return moved


def _staying(addresses: Uint32) -> NDArray[np.int64]:
    """Return how many leading bits of each address stay; 0 for public ones."""
    stay = np.zeros(addresses.shape, dtype=np.int64)
    for first, bits, kept in _BLOCKS:
        inside = addresses >> np.uint32(32 - bits) == first >> (32 - bits)
        stay[inside] = kept
    return stay


def _parted(value: str) -> list[str]:
    """Return the labels of a name or mail address, and what stands between them."""
    parts, last = [], ""
    for char in value:
        if char in ".@":
            parts += [last, char]
            last = ""
        else:
            last += char
    return [*parts, last]
