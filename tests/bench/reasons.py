"""Why a value of ours may differ from tshark's: each reason has a name and a test.

A difference that no reason covers is a fault of the reader.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from analysis.pcap.decode import DECODED, Error
from tests.bench.oracle import Shape

_MACS = {"src_mac", "dst_mac"}
_TCP_FIELDS = {"tcp_len", "seq", "ack", "window", "tcp_flags"}
_IP_FIELDS = {"src_high", "src_low", "dst_high", "dst_low", "protocol"} | _TCP_FIELDS
_IP_FIELDS |= {"src_port", "dst_port", "udp_length", "bad_checksum", "bad_ip_checksum"}
_FINE = Error(0)
_PAYLOADS_OF_TSHARK = {"mipv6": 135, "hip": 139}
_MOST_OF_TSHARK = 2**31 - 1  # it shows no longer frame than that


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One value of one packet that is not the same, and what is around it.

    theirs, ours  0 where there is none
    error         what the reader found wrong
    said          all that tshark says of the packet, as text
    note          for differences of whole files
    """

    path: str
    field: str
    frame: int = 0
    link: int = 0
    theirs: int = 0
    ours: int = 0
    shape: Shape = field(default_factory=Shape)
    error: Error = _FINE
    captured_b: int = 0
    length_b: int = 0
    ethertype: int = 0
    said: Mapping[str, str] = field(default_factory=lambda: defaultdict(str))
    note: str = ""

    @property
    def protocols(self) -> str:
        """The layers that tshark found."""
        return self.said["frame.protocols"]

    @property
    def last(self) -> str:
        """The innermost layer that tshark found."""
        return self.protocols.rpartition(":")[2]

    @property
    def malformed(self) -> bool:
        """Whether tshark calls the packet malformed."""
        return bool(self.said["_ws.malformed"])

    @property
    def header_b(self) -> int:
        """Length of the TCP header, as it says itself."""
        return int(self.said["tcp.hdr_len"].partition("\x1f")[0] or 0)

    def words(self) -> str:
        """Say what differs."""
        if self.note:
            return self.note
        return (
            f"packet {self.frame}: {self.field} tshark {self.theirs:#x},"
            f" reader {self.ours:#x}; {self.protocols}, link {self.link},"
            f" {self.captured_b} of {self.length_b} bytes, {self.error!r},"
            f" type {self.ethertype:#x}, malformed {self.malformed}"
        )


def _link_not_decoded(d: Difference) -> bool:
    return d.link not in DECODED and d.ours == 0


def _not_outermost(d: Difference) -> bool:
    return bool(d.shape.below) and d.ours == 0 and d.field in _IP_FIELDS


def _header_cut(d: Difference) -> bool:
    """A header of which only a part is there: each shows what it gets at."""
    ends = d.malformed and d.last in ("ip", "ipv6")
    both = d.theirs and d.ours and d.field != "protocol"
    if both or not (d.error & Error.CUT or ends):
        return False
    if d.field in _MACS:
        return d.last in ("sll", "wlan", "eth")
    ip = d.last in ("ip", "ipv6") or d.last in d.shape.extensions
    return d.field in _IP_FIELDS and (ip or d.last in ("tcp", "udp"))


def _tcp_header_impossible(d: Difference) -> bool:
    """The header is shorter than 20 bytes, so that tshark stops in the middle of it."""
    mine = d.shape.above == "tcp" and d.field in _TCP_FIELDS
    return mine and bool(d.error & Error.MALFORMED) and d.header_b < 20


def _tcp_header_too_long(d: Difference) -> bool:
    """The header is longer than the segment; the reader takes no payload from it."""
    mine = d.shape.above == "tcp" and d.field in _TCP_FIELDS
    return mine and bool(d.error & Error.MALFORMED) and d.malformed


def _checksum_of_malformed(d: Difference) -> bool:
    """What is malformed is not checked as well."""
    return d.field == "bad_checksum" and bool(d.error & Error.MALFORMED)


def _zero_checksum_not_whole(d: Difference) -> bool:
    """IPv6 forbids a UDP checksum of 0; the reader looks at whole packets only."""
    illegal = d.said["udp.checksum.status"].partition("\x1f")[0] == "4"
    whole = not d.error & Error.CUT and "ipv6.fraghdr" not in d.shape.extensions
    return d.field == "bad_checksum" and illegal and not whole


def _extension_beyond(d: Difference) -> bool:
    """An extension header reaches over the end that IPv6 says; who stops where."""
    ends = d.last in d.shape.extensions
    return d.field == "protocol" and d.shape.ip == "ipv6" and ends


def _jumbo_without_option(d: Difference) -> bool:
    """IPv6 says length 0 and a hop-by-hop header: to the reader, offload too."""
    first = d.shape.extensions == ("ipv6.hopopts",) == (d.last,)
    return first and d.malformed and d.theirs == 0 and d.field in _IP_FIELDS


def _udp_cut_by_ip(d: Difference) -> bool:
    """IP leaves less than a UDP header; tshark shows the length it says itself."""
    mine = d.field == "udp_length" and d.ours == 8  # that is, no payload
    return mine and bool(d.error & Error.MALFORMED)


def _length_after_provider_tag(d: Difference) -> bool:
    """LLC behind an 802.1ad tag: tshark takes the length for an unknown type."""
    tagged = "ieee8021ad:ethertype" in d.protocols and not d.shape.ip
    return tagged and d.theirs == 0 and d.field in _IP_FIELDS


def _in_trailer(d: Difference) -> bool:
    """IP reaches into the trailer of an 802.3 frame, whose own length ends before."""
    mine = d.protocols.startswith(("eth:llc:ip:", "eth:llc:ipv6:"))
    return mine and d.field in ("tcp_len", "udp_length", "bad_checksum")


def _all_ones(d: Difference) -> bool:
    """A TCP checksum of all ones adds up; tshark wants it to be 0 (RFC 1624)."""
    mine = d.field == "bad_checksum" and d.shape.above == "tcp"
    return mine and d.said["tcp.checksum"].startswith("0xffff")


def _guessed_ppp(d: Difference) -> bool:
    """In raw IP, tshark takes an address that begins with ff03 for PPP."""
    return d.protocols.startswith("raw:ppp") and d.link == 101 and d.theirs == 0


def _udp_without_length(d: Difference) -> bool:
    """UDP says length 0: offload, of which the checksum is not yet made."""
    mine = d.field == "bad_checksum" and d.shape.above == "udp"
    return mine and d.said["udp.length"].partition("\x1f")[0] == "0"


def _ipv4_contradicts_itself(d: Difference) -> bool:
    """The IPv4 header says a length below its own; the reader takes nothing of it."""
    mine = d.shape.ip == "ip" and d.last == "ip" and d.malformed
    mine = mine and 0 in (d.ours, d.theirs)
    return mine and bool(d.error & Error.MALFORMED) and d.field in _IP_FIELDS


def _aggregated(d: Difference) -> bool:
    """An 802.11 frame of several: tshark shows the ends of the first inside."""
    return d.link in (105, 127) and d.said["wlan.qos.amsdupresent"] == "1"


def _impossible_stamp(d: Difference) -> bool:
    """A part of a second that is a second or more; tshark prints nonsense."""
    stamp = d.said["frame.time_epoch"]
    return d.field == "time_ns" and not re.fullmatch(r"\d+\.\d{9}", stamp)


def _longer_than_tshark_shows(d: Difference) -> bool:
    return d.field == "length_b" and d.theirs == _MOST_OF_TSHARK < d.ours


def _mobility(d: Difference) -> bool:
    """Mobility and HIP are extension headers (RFC 7045); to tshark they are payload."""
    number = _PAYLOADS_OF_TSHARK.get(d.shape.above)
    return d.field == "protocol" and d.theirs == number


def _stated_fault(d: Difference) -> bool:
    """The reader stops at a damaged record and names the byte; tshark reads on."""
    return d.field == "packets" and "reader: byte " in d.note


def _link_unknown_to_tshark(d: Difference) -> bool:
    return d.field == "packets" and "unknown or unsupported" in d.note


REASONS: dict[str, Callable[[Difference], bool]] = {
    "the link type is not decoded, and refused by the packet table": _link_not_decoded,
    "IP lies under a layer that is not looked through": _not_outermost,
    "a header was cut off, or the frame ends in it": _header_cut,
    "the TCP header says a length below 20": _tcp_header_impossible,
    "the TCP header is longer than the segment": _tcp_header_too_long,
    "checksums of malformed segments are not checked": _checksum_of_malformed,
    "a forbidden UDP checksum of 0 in a part of a packet": _zero_checksum_not_whole,
    "an IPv6 extension header reaches beyond its packet": _extension_beyond,
    "IPv6 length 0 without a jumbo option is taken as offload": _jumbo_without_option,
    "IP leaves less than a UDP header": _udp_cut_by_ip,
    "a length behind an 802.1ad tag is read as LLC": _length_after_provider_tag,
    "the length of an 802.3 frame with a trailer is not looked at": _in_trailer,
    "a TCP checksum of all ones": _all_ones,
    "tshark guesses PPP in raw IP": _guessed_ppp,
    "UDP of length 0 is offload, and not checked": _udp_without_length,
    "the IPv4 header says a length below its own": _ipv4_contradicts_itself,
    "an aggregated 802.11 frame is not looked into": _aggregated,
    "the stamp has a part of a second above 1": _impossible_stamp,
    "the frame is longer than tshark can show": _longer_than_tshark_shows,
    "mobility and HIP are extension headers": _mobility,
    "the reader stops at damage and names the byte": _stated_fault,
    "tshark does not know the link type and stops": _link_unknown_to_tshark,
}


def reason_of(difference: Difference) -> str:
    """Return the name of the first reason that covers a difference, '' for none."""
    for name, covers in REASONS.items():
        if covers(difference):
            return name
    return ""
