import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.pcap.beacons import Beacon, decode, encode, find_beacons

BEACON = Beacon(campaign="evening", trial="0001", attempt=2, phase="before", sent_ns=77)
words = st.text(st.characters(exclude_characters="|", codec="utf-8"), max_size=20)


@settings(derandomize=True, deadline=None)
@given(words, words, words, st.integers(0, 99), st.integers(0, 2**62))
def test_a_beacon_comes_back_as_it_was_sent(campaign, trial, phase, attempt, sent_ns):
    beacon = Beacon(
        campaign=campaign, trial=trial, attempt=attempt, phase=phase, sent_ns=sent_ns
    )
    assert decode(encode(beacon)) == beacon


@settings(derandomize=True, deadline=None)
@given(st.binary(max_size=60).map(lambda tail: b"TBB1|" + tail))
def test_any_payload_is_a_beacon_or_none(payload):
    assert decode(payload) is None or isinstance(decode(payload), Beacon)


def test_a_text_that_would_break_the_payload_is_refused():
    with pytest.raises(ValueError, match="cannot hold"):
        encode(Beacon(campaign="a|b", trial="", attempt=1, phase="before", sent_ns=1))


def test_beacons_are_found_with_stamp_and_frame_number(craft, write, tshark):
    payload = encode(BEACON)
    path = write(
        [
            (0, craft.tcp4(payload)),  # not UDP
            (1, craft.udp4(payload, dport=5000)),  # another port
            (2, craft.beacon(payload)),
            (3, craft.beacon(b"TBB1|nonsense")),
            (4, craft.beacon(encode(BEACON))[:60]),  # cut short
            (5, craft.beacon(payload)),
        ]
    )
    found = find_beacons(path)
    assert found == [
        (craft.start_ns + 2 * 10**9, 3, BEACON),
        (craft.start_ns + 5 * 10**9, 6, BEACON),
    ]
    rows = tshark(path, "frame.number", display="udp.dstport == 47777")
    assert {str(number) for _ns, number, _b in found} <= {
        r["frame.number"] for r in rows
    }


def test_beacons_are_found_in_a_compressed_capture(craft, write):
    path = write([(0, craft.beacon(encode(BEACON)))])
    packed = path.with_suffix(".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert find_beacons(packed) == find_beacons(path) != []
