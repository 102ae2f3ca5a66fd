"""The microphone of the virtual room, over a real socket of this machine."""

import asyncio
import socket

import numpy as np
import pytest

from testbed.virtual.room.microphone import GAIN, Microphone

SECOND = np.full(8000, 8000, dtype="<i2").tobytes()  # half a second, loud


def listen(pieces, seconds):
    """Play pieces while somebody listens for so long; return what he heard."""

    async def run():
        microphone = Microphone(seed=7)
        with socket.create_server(("127.0.0.1", 0)) as sock:
            place = sock.getsockname()
            await microphone.serve(sock)
            reader, writer = await asyncio.open_connection(*place)
            heard = await reader.readexactly(640)
            for piece in pieces:
                microphone.hear(piece)
            heard += await reader.readexactly(round(seconds * 32_000))
            writer.close()
            await microphone.close()
        return np.frombuffer(heard, dtype="<i2").astype(float)

    return asyncio.run(run())


def test_a_quiet_room_has_its_noise_and_nothing_else():
    heard = listen([], 0.2)
    assert 5 < heard.std() < 30


def test_what_is_played_is_heard_softer_and_a_little_later():
    heard = listen([SECOND], 0.7)
    loud = np.flatnonzero(np.abs(heard) > 1000)
    assert np.median(heard[loud]) == pytest.approx(8000 * GAIN, abs=5)
    assert 7900 < loud.size < 8100
    assert loud[0] >= 240  # sound needs 15 ms to come here


def test_pieces_of_odd_length_are_put_together():
    heard = listen([SECOND[:1001], SECOND[1001:]], 0.7)
    loud = np.abs(heard) > 1000
    assert 7900 < loud.sum() < 8100
    assert abs(np.median(heard[loud]) - 8000 * GAIN) < 5
