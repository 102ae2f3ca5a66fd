"""Who was told which name when.

Names are read from single packets (`analysis.pcap.names`): a TLS ClientHello names the
server of its own connection; a DNS answer names addresses before anything goes there. A
ClientHello whose name lies in its second segment, DNS over TCP, TLS or HTTPS, and QUIC
tell nothing.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Hashable

_MOST_KEYS = 1 << 16
_MOST_TOLD = 16


class Told:
    """Who was told which name when, of a limited number of keys, newest kept."""

    def __init__(self, most_keys: int = _MOST_KEYS) -> None:
        self._told: OrderedDict[Hashable, tuple[list[int], list[str]]] = OrderedDict()
        self._most = most_keys

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._told)

    def add(self, key: Hashable, time_ns: int, name: str) -> None:
        """Take a name that was told at a time; times do not decrease."""
        times, names = self._told.setdefault(key, ([], []))
        self._told.move_to_end(key)
        if names and names[-1] == name:
            return
        times.append(time_ns)
        names.append(name)
        if len(names) > _MOST_TOLD:
            del times[0], names[0]
        while len(self._told) > self._most:
            self._told.popitem(last=False)

    def at(self, key: Hashable, time_ns: int) -> str:
        """Return the name that was told last until this time, '' for none."""
        found = self._told.get(key)
        if found is None:
            return ""
        row = bisect_right(found[0], time_ns)
        return found[1][row - 1] if row else ""
