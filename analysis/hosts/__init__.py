"""Which name an address had, for whom, from when until when.

find_hosts(folder)  the table of a campaign: DNS, mDNS, TLS, DHCP and HTTP

Captures are read once, in memory that does not grow with their length. A DNS answer
holds for its TTL, and as long as a connection that began meanwhile lives; an mDNS
answer likewise; a server name of TLS and a host of HTTP while their connection lives; a
lease as long as it was given, is renewed and is not given back. A connection of TCP
begins with a SYN, others when nothing came for a minute.
"""

from analysis.hosts.spans import Span
from analysis.hosts.table import find_hosts, spans_of

__all__ = ["Span", "find_hosts", "spans_of"]
