import numpy as np

from analysis.detectors.cadesh.flows import INTERNET, LAN, place
from analysis.detectors.cadesh.keys import keys_of
from analysis.flows import Texts


def with_ends(home, remote, own="192.168.0.7", name=""):
    flows = home("a", days=1).take(slice(0, 1))
    texts = (("remote_address", remote), ("device_address", own), ("server_name", name))
    return flows.replaced(**{column: Texts.same(text, 1) for column, text in texts})


def alike(home, one, other):
    both = [keys_of(with_ends(home, remote)) for remote in (one, other)]
    return [
        getattr(both[0], k)[0] == getattr(both[1], k)[0] for k in ("server", "domain")
    ]


def test_addresses_without_a_name_are_alike_by_their_networks(home):
    assert alike(home, "198.18.0.9", "198.18.0.200") == [True, True]
    assert alike(home, "198.18.0.9", "198.18.7.9") == [False, True]
    # however an address is written
    assert alike(home, "2001:db8::1", "2001:db8:0:5::1") == [True, True]
    assert alike(home, "2001:db8:1::1", "2001:db8:2::1") == [False, True]
    assert alike(home, "2001:db8:1::1", "2001:db9:1::1") == [False, False]


def test_neighbours_with_a_global_address_are_of_the_lan(home):
    near, far = "2001:db8:1:7::9", "2001:db8:1:8::9"
    places = [place(with_ends(home, at, "2001:db8:1:7::1"))[0] for at in (near, far)]
    assert places == [LAN, INTERNET]
    assert place(with_ends(home, near))[0] == INTERNET


def test_a_secret_is_the_key_of_a_hash_and_not_a_part_of_its_text(home):
    plain = keys_of(with_ends(home, "198.18.0.9", name="x"), "a|server|y")
    other = keys_of(with_ends(home, "198.18.0.9", name="y|server|x"), "a")
    assert not np.array_equal(plain.server, other.server)
    assert (
        len(
            {
                keys_of(with_ends(home, "198.18.0.9"), s).server[0]
                for s in ("", "a" * 99)
            }
        )
        == 2
    )
