"""Which address a server's name has, for whom and when.

Large services answer from many addresses: others in each region, others after hours,
now and then from a range that nobody has seen before. All are of the range that is
reserved for measurements (198.18.0.0/15), so that no real host is named.
"""

import hashlib
from functools import lru_cache

from testbed.virtual.homes.places import Home

# services that answer from another of many addresses each minute
MANY = {"objects.storage.example": 120, "images.storage.example": 30}
_SECOND_NS = 1_000_000_000
_DAY_NS = 86_400 * _SECOND_NS


@lru_cache(maxsize=1 << 16)
def _drawn(*parts: object) -> int:
    digest = hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def address_of(host: str, home: Home, time_ns: int, seed: int) -> str:
    """Return the address of a server, as the home's resolver tells it at this time."""
    size = MANY.get(host, 1 + _drawn("size", host) % 8)
    keeps_s = 60 if host in MANY else (1, 4, 12, 72)[_drawn("keeps", host) % 4] * 3600
    turn = time_ns // (keeps_s * _SECOND_NS)
    chosen = _drawn("turn", seed, host, home.name, turn) % size
    # Ranges live for weeks: each of a host's addresses moves on a day of its own.
    age = (time_ns + _drawn("phase", host, chosen) % (40 * _DAY_NS)) // (40 * _DAY_NS)
    block = chosen % (1 + size // 3)
    prefix = _drawn("prefix", host, home.region, block, age) % (2 * 256)
    last = 1 + _drawn("last", host, home.region, chosen, age) % 254
    return f"198.{18 + prefix // 256}.{prefix % 256}.{last}"


def address_of_stranger(name: str, seed: int) -> str:
    """Return an address that belongs to nobody's service: a home, a rented machine."""
    drawn = _drawn("stranger", seed, name)
    return f"198.{18 + drawn % 2}.{drawn // 2 % 256}.{1 + drawn // 512 % 254}"


def hops_to(host: str, home: Home) -> int:
    """Return how many routers a server's packets have passed."""
    return home.hops + _drawn("hops", host, home.region) % 6


def farther_s(host: str, home: Home) -> float:
    """Return how much farther than the nearest a server is, one way in seconds."""
    return (_drawn("far", host, home.region) % 1000) / 1000.0 * 0.03
