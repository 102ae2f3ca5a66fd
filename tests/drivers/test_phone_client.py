"""The sockets that AndroidViewClient is given."""

import socket
import threading
from contextlib import suppress

import pytest

from testbed.clock import SystemClock, wait_until
from testbed.drivers.phone_client import Deadline


@pytest.fixture
def clock():
    return SystemClock()


@pytest.fixture
def peer():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener


@pytest.fixture
def deadline(clock):
    deadline = Deadline(clock)
    deadline.begin(30)
    yield deadline
    deadline.cut()


def linked(deadline, peer):
    link = deadline.connect(*peer.getsockname())
    return link, peer.accept()[0]


def test_a_peer_that_hangs_up_in_the_middle_is_an_error_not_a_spin(deadline, peer):
    link, other = linked(deadline, peer)
    with other:
        other.sendall(b"ab")
    buffer = memoryview(bytearray(8))
    assert link.recv_into(buffer, 8) == 2
    with pytest.raises(ConnectionError, match="hung up"):
        link.recv_into(buffer[2:], 6)


@pytest.mark.parametrize("method", ["recv", "recv_into"])
def test_a_peer_that_says_nothing_is_left_by_the_deadline(
    method, deadline, peer, clock
):
    link, other = linked(deadline, peer)
    deadline.begin(0.2)
    start_s = clock.monotonic_s()
    with other, pytest.raises(TimeoutError):
        getattr(link, method)(4 if method == "recv" else bytearray(4))
    assert clock.monotonic_s() - start_s < 15
    assert deadline.expired


def test_the_next_socket_closes_the_one_before(deadline, peer):
    first, other = linked(deadline, peer)
    second, another = linked(deadline, peer)
    with other, another:
        assert first.fileno() == -1
        assert second.fileno() > 0


def test_cutting_wakes_who_waits_and_nothing_connects_any_more(deadline, peer, clock):
    link, other = linked(deadline, peer)

    def wait():
        with suppress(OSError):  # or b"", when it was cut while it waited
            link.recv(4)

    thread = threading.Thread(target=wait)
    thread.start()
    deadline.cut()
    with other:
        assert wait_until(lambda: not thread.is_alive(), clock=clock, deadline_s=30)
    thread.join()
    with pytest.raises(ConnectionError, match="thrown away"):
        deadline.connect(*peer.getsockname())


def test_the_end_of_a_command_is_stamped_when_its_mark_arrives(deadline, peer, clock):
    link, other = linked(deadline, peer)
    with other:
        other.sendall(b"output")
        assert link.recv(6) == b"output"
        assert deadline.answered_ns is None
        before_ns = clock.now_ns()
        other.sendall(b"testbed-status=0\n")
        link.recv(100)
    assert before_ns <= deadline.answered_ns <= clock.now_ns()
