"""The class of a destination: the same in every home."""

import numpy as np
import pytest

from analysis.packets.destination import Destination, destinations

TCP, UDP, ICMP = 6, 17, 1
PUBLIC, HOME, GROUP = "203.0.113.9", "192.168.1.20", "239.255.255.250"
EPHEMERAL = 51_234


def class_of(protocol, remote, remote_port, own_port=EPHEMERAL, outbound=True):
    ports = (own_port, remote_port) if outbound else (remote_port, own_port)
    (found,) = destinations(
        protocol=np.array([protocol], np.uint8),
        outbound=np.array([outbound]),
        src_port=np.array(ports[:1], np.uint16),
        dst_port=np.array(ports[1:], np.uint16),
        remote=np.array([-1 if remote is None else 0], np.int32),
        remotes=() if remote is None else (remote,),
    )
    return Destination(found)


@pytest.mark.parametrize("outbound", [True, False])
@pytest.mark.parametrize(
    ("protocol", "remote", "port", "want"),
    [
        (0, None, 0, Destination.LINK),
        (ICMP, HOME, 0, Destination.LINK),
        (TCP, HOME, 9999, Destination.LAN),
        (TCP, HOME, 443, Destination.LAN),
        (UDP, HOME, 53, Destination.DNS),
        (UDP, "8.8.8.8", 53, Destination.DNS),
        (TCP, "8.8.8.8", 853, Destination.DNS),
        (UDP, PUBLIC, 123, Destination.TIME),
        (UDP, HOME, 123, Destination.TIME),
        (UDP, GROUP, 1900, Destination.GROUP),
        (UDP, "ff02::fb", 5353, Destination.GROUP),
        (UDP, "192.168.1.255", 138, Destination.GROUP),
        (UDP, "255.255.255.255", 6667, Destination.GROUP),
        (TCP, "fe80::1", 49_153, Destination.LAN),
        (TCP, PUBLIC, 443, Destination.CLOUD_TLS),
        (TCP, "2606:4700::1", 8883, Destination.CLOUD_TLS),
        (UDP, PUBLIC, 443, Destination.CLOUD_UDP),
        (TCP, PUBLIC, 80, Destination.CLOUD_OTHER),
        (ICMP, PUBLIC, 0, Destination.CLOUD_OTHER),
    ],
)
def test_a_packet_is_of_one_class_whichever_way_it_goes(
    outbound, protocol, remote, port, want
):
    assert class_of(protocol, remote, port, outbound=outbound) is want


def test_asking_for_an_address_belongs_to_the_link_even_by_broadcast():
    assert class_of(UDP, "255.255.255.255", 67, own_port=68) is Destination.LINK


@pytest.mark.parametrize("remote", ["203.0.113.9", "203.0.113.200", "1.1.1.1"])
@pytest.mark.parametrize("own_port", [1024, 40_000, 65_535])
def test_address_and_ephemeral_port_change_nothing(remote, own_port):
    assert class_of(TCP, remote, 443, own_port) is Destination.CLOUD_TLS


def test_packets_of_no_remote_do_not_take_the_class_of_another():
    found = destinations(
        protocol=np.array([0, TCP], np.uint8),
        outbound=np.array([True, True]),
        src_port=np.array([0, EPHEMERAL], np.uint16),
        dst_port=np.array([0, 80], np.uint16),
        remote=np.array([-1, 0], np.int32),
        remotes=(HOME,),
    )
    assert found.tolist() == [Destination.LINK, Destination.LAN]
