"""Packets of a router as they come: what is asked of it, and what it may answer."""

import io
from types import SimpleNamespace

import pytest

from testbed.drivers.router_live import LivePackets, command_of
from testbed.errors import DriverRefusedError, DriverTimeoutError
from testbed.model.lab import RouterAt


def router(tool="tshark", rule="not port 22"):
    return RouterAt(
        host="192.0.2.1",
        interface="br-lan",
        tool=tool,
        filter=rule,
        beacon="192.0.2.1:47777",
    )


class Channel:
    """Answers what it is given, piece by piece; an exception is raised."""

    def __init__(self, *pieces, code=0, log=""):
        self._pieces, self._code, self._log = list(pieces), code, log

    def recv(self, _most_b):
        piece = self._pieces.pop(0) if self._pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def gettimeout(self):
        return 20.0

    def makefile_stderr(self, _mode):
        return io.BytesIO(self._log.encode())

    def recv_exit_status(self):
        return self._code


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ("tshark", "dumpcap -q -i br-lan -w - -f|not port 22"),
        ("dumpcap", "dumpcap -q -i br-lan -w - -f|not port 22"),
        (
            "tcpdump",
            "tcpdump -n -U --time-stamp-precision=nano -i br-lan -w - --|not port 22",
        ),
    ],
)
def test_the_tool_of_the_lab_writes_to_its_output_with_the_filter_of_the_lab(
    tool, expected
):
    words, _, rule = expected.partition("|")
    assert command_of(router(tool)) == [*words.split(), rule]
    assert rule not in command_of(router(tool, ""))


def test_bytes_come_as_they_are_until_the_tool_ends():
    packets = LivePackets(Channel(b"abc", b"d"), router())
    assert [packets.read(9), packets.read(9), packets.read(9)] == [b"abc", b"d", b""]


@pytest.mark.parametrize(
    ("channel", "error", "sentence"),
    [
        (Channel(TimeoutError()), DriverTimeoutError, "nothing came for 20 s"),
        (Channel(code=-1), DriverTimeoutError, "the link was lost"),
        (
            Channel(code=1, log="You don't have permission to capture"),
            DriverRefusedError,
            "setcap cap_net_raw",
        ),
        (
            Channel(code=1, log="There is no device named br-lan"),
            DriverRefusedError,
            "router.interface",
        ),
    ],
)
def test_a_capture_that_cannot_be_is_told_with_its_remedy(channel, error, sentence):
    with pytest.raises(error, match=sentence):
        LivePackets(channel, router()).read(9)


def test_what_has_the_shape_of_words_is_one_word_for_the_shell():
    import shlex

    spaced = command_of(SimpleNamespace(tool="dumpcap", interface="a b", filter="c; d"))
    assert shlex.split(shlex.join(spaced)) == spaced
