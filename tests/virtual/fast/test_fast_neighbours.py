import pytest

from testbed.virtual.fast.frames import ACK, TCP, UDP, Packet, Way
from testbed.virtual.fast.neighbours import Neighbours

NS = 10**9
ROUTER, CAMERA = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"
IPS = {ROUTER: b"\n\1\1\1", CAMERA: b"\n\1\1\2"}
CLOUD = b"\xcb\0\x71\1"


def packet(at_s, *, down=False, protocol=UDP, far=CLOUD, payload=b"x"):
    ends = (CAMERA, ROUTER, IPS[CAMERA], far, 4000, 443)
    if down:
        ends = (ROUTER, CAMERA, far, IPS[CAMERA], 443, 4000)
    way = Way(*ends, protocol)
    return Packet(round(at_s * NS), way, 0, 0, ACK, payload, 7)


@pytest.fixture
def asked():
    """Return a function: the questions that packets cause, as (s, who, whom)."""
    neighbours = Neighbours(IPS)

    def ask(*packets, until_s):
        found = neighbours.among(list(packets), until_s * NS)
        assert [p.time_ns for p in found] == sorted(p.time_ns for p in found)
        questions = [p for p in found if p.way.protocol == 0 and p.payload[7] == 1]
        return [(p.time_ns / NS, p.way.source_mac, p.way.target_mac) for p in questions]

    return ask


def test_the_first_packet_to_a_neighbour_waits_for_a_question_to_everyone(asked):
    ((at_s, who, whom),) = asked(packet(100.0), packet(101.0), until_s=110)
    assert (who, whom) == (CAMERA, b"\xff" * 6)
    assert 99.99 < at_s < 100.0


def test_a_neighbour_not_heard_of_for_long_is_asked_five_seconds_after_a_packet(asked):
    asked(packet(100.0), until_s=110)
    assert asked(packet(129.0), until_s=131) == []
    assert asked(packet(131.0), until_s=136) == []
    ((at_s, who, whom),) = asked(packet(137.0), until_s=140)
    assert (who, whom) == (CAMERA, ROUTER)
    assert 136.0 < at_s < 136.3


def test_what_tcp_has_acknowledged_just_before_spares_the_question(asked):
    asked(packet(100.0), until_s=110)
    talk = [
        packet(131.0, protocol=TCP),
        packet(133.0, protocol=TCP, down=True),
        packet(133.1, protocol=TCP, payload=b""),
    ]
    questions = asked(*talk, until_s=140)
    assert CAMERA not in [who for _, who, _ in questions]


def test_a_router_that_forwards_is_confirmed_by_nothing_and_asks(asked):
    asked(packet(100.0), until_s=110)
    talk = [packet(131.0 + k, protocol=TCP, down=k % 2 == 0) for k in range(4)]
    questions = asked(*talk, until_s=140)
    assert [(who, whom) for _, who, whom in questions] == [(ROUTER, CAMERA)]
