"""Addresses that stood in headers are known, whatever their bits are."""

from ipaddress import ip_address

import numpy as np
import pytest

from analysis.exporters.anonymise import Pseudonyms
from analysis.exporters.anonymise.table import Addresses

# halves of 64 bits with and without the highest one, in each order
ADDRESSES = [
    *map(ip_address, ("2001:db8::1", "2001:db8::8000:0:0:1", "fe80::52c7:bfff:fe6b:1")),
    *map(ip_address, ("fd00::9234:5678:9abc:def0", "192.168.1.7", "203.0.113.9")),
]
RAW = [*(each.packed for each in ADDRESSES), bytes.fromhex("50c7bf6be019")]


@pytest.mark.parametrize("turn", range(len(RAW)))
def test_what_stood_in_a_header_is_known_and_nothing_else(turn):
    asked = RAW[turn:] + RAW[:turn]
    known, others = asked[::2], asked[1::2]
    b = np.frombuffer(b"".join(known), dtype=np.uint8)
    sizes = np.array([len(each) for each in known])
    addresses = Addresses(Pseudonyms(bytes(range(32))))
    addresses.write(b, b.copy(), np.cumsum(sizes) - sizes, sizes)
    assert [each in known for each in asked] == [addresses.knows(e) for e in asked]
    assert not any(map(addresses.knows, others))
