"""What the network of a home makes of exchanges."""

from dataclasses import replace

import numpy as np
import pytest

from testbed.virtual.homes import rare
from testbed.virtual.homes.addresses import MANY, address_of
from testbed.virtual.homes.lines import Lines
from testbed.virtual.homes.places import draw_homes
from testbed.virtual.homes.segments import packets
from testbed.virtual.homes.sheet import ACK, FIN, RST, SYN, empty_sheet
from testbed.virtual.house.talk import Talk
from testbed.virtual.traffic import Transport

SECOND_NS = 1_000_000_000
NOW_NS = 1_790_000_000 * SECOND_NS


@pytest.fixture
def home():
    quiet = draw_homes(1, 1, 1)[0]
    return replace(quiet, nat_s=100.0, nat_answers=True, resets=0.0, loss=0.0)


def played(home, *talks, dark=()):
    """Return the sheet of talks (s, exchange) in a home."""
    sheet = empty_sheet()
    lines = Lines("echo_dot", home, sheet, seed=1)
    lines.set_dark([(NOW_NS + a * SECOND_NS, NOW_NS + b * SECOND_NS) for a, b in dark])
    for at_s, exchange in talks:
        lines.play(NOW_NS + at_s * SECOND_NS, exchange)
    return sheet


def kept(size_b=100):
    talk = Talk("echo_dot", "avs.alexa.example", connection="avs")
    return talk.up(size_b).down(50, after_s=0.05).done()


def test_a_named_connection_stays_open_until_the_router_forgets_it(home):
    assert len(played(home, (0, kept()), (90, kept())).ends) == 1
    forgotten = played(home, (0, kept()), (110, kept()))
    assert len(forgotten.ends) == 2
    assert [w.number for w in forgotten.writes if w.flags & RST] == [0]
    assert [w.number for w in forgotten.writes if w.flags == SYN] == [0, 1]


def test_a_silent_router_lets_the_device_try_again_for_seconds(home):
    sheet = played(replace(home, nat_answers=False), (0, kept()), (110, kept()))
    tries = [w for w in sheet.writes if w.number == 0 and w.time_ns > NOW_NS + 10**11]
    assert len(tries) == 5
    assert all(w.out for w in tries)


def test_nothing_is_answered_while_the_provider_is_out(home):
    talk = Talk("echo_dot", "fw.updates.example").up(100).down(500).done()
    sheet = played(home, (50, talk), dark=[(10, 60)])
    assert [w.flags for w in sheet.writes] == [SYN, SYN, SYN]
    assert all(w.out for w in sheet.writes)
    asked = played(
        home,
        (50, rare.question("echo_dot", "a.b", np.random.default_rng(0))),
        dark=[(10, 60)],
    )
    assert [w.out for w in asked.writes] == [True]


def test_a_connection_without_a_name_is_closed_by_both_sides(home):
    talk = Talk("echo_dot", "fw.updates.example").up(100).down(500).done()
    flags = [(w.out, w.flags) for w in played(home, (0, talk)).writes if w.flags]
    assert (True, FIN | ACK) in flags
    assert (False, FIN | ACK) in flags


def test_what_others_say_to_each_other_is_left_out(home):
    talk = Talk("phone", "api.alexa.example").up(100).done()
    assert played(home, (0, talk)).ends == []


def test_who_comes_to_the_device_opens_towards_it(home):
    talk = Talk("phone", "echo_dot", port=55_443, transport=Transport.TCP).up(10).done()
    (ends,) = played(home, (0, talk)).ends
    assert not ends.outbound
    assert ends.device_port == 55_443
    assert ends.remote == f"{home.network}.20"


@pytest.mark.parametrize(("size_b", "segments"), [(1, 1), (1_448, 1), (1_449, 2)])
def test_writes_are_cut_into_segments_and_lose_no_byte(home, size_b, segments):
    talk = Talk("echo_dot", "phone", port=80, transport=Transport.TCP).up(size_b).done()
    sheet = played(home, (0, talk))
    made = packets(sheet.writes, sheet.ends, np.random.default_rng(0))
    data = made.chosen(made.payload_b > 0)
    assert len(data) == segments
    assert data.payload_b.sum() == size_b
    assert (data.frame_b == data.payload_b + 66).all()


def test_a_lost_segment_is_seen_twice_going_out_and_late_coming_in(home):
    talk = Talk("echo_dot", "a.example", port=80, transport=Transport.TCP)
    sheet = played(replace(home, loss=1.0), (0, talk.up(1_000).down(900).done()))
    made = packets(sheet.writes, sheet.ends, np.random.default_rng(0))
    assert sorted(made.payload_b[made.payload_b > 0].tolist()) == [900, 1_000, 1_000]


def test_a_server_has_other_addresses_elsewhere_and_later(home):
    far = replace(home, region="elsewhere")
    hours = range(0, 24 * 400, 24)
    found = {
        address_of("a.example", home, NOW_NS + h * 3_600 * SECOND_NS, 1) for h in hours
    }
    assert len(found) > 3
    assert address_of("a.example", home, NOW_NS, 1) != address_of(
        "a.example", far, NOW_NS, 1
    )
    many = sorted(MANY)[0]
    turns = {address_of(many, home, NOW_NS + k * 60 * SECOND_NS, 1) for k in range(40)}
    assert len(turns) > 20


def test_homes_differ_and_the_first_is_the_lab():
    homes = draw_homes(8, 21, 3)
    assert homes[0].name == "lab"
    assert len({(h.delay_s, h.loss, h.skills) for h in homes}) == 8
    assert draw_homes(3, 21, 3) == homes[:3]
    assert len({round(h.firmware_day[0], 2) for h in homes}) == 8
