r"""Two Linux hosts that talk TCP through a link that loses, delays and repeats frames.

    unshare -n -m -p -f --mount-proc --kill-child \
        python lossy_link.py FOLDER SEED SECONDS

Each host is a process in a network namespace of its own with one end of the link, a tap
device; this process carries the frames between the two and writes what it sees:
`before.pcap` as frames come in, `after.pcap` as they go out to the other host.
"""

import ctypes
import heapq
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from fcntl import ioctl
from pathlib import Path

from testbed.clock import SystemClock

CLOCK = SystemClock()
TUNSETIFF, TAP, NO_HEAD = 0x400454CA, 0x0002, 0x1000
NEW_NET = 0x40000000
CLIENT, SERVER = "10.99.0.1", "10.99.0.2"
PORTS = range(7000, 7004)
LOSS, REPEAT, LATE = 0.02, 0.005, 0.02


def main(folder, seed, seconds):
    """Run the hosts for some seconds, then end them."""
    hosts = [Host("c", CLIENT, lambda: request(seed)), Host("s", SERVER, serve)]
    carry(folder, seed, CLOCK.monotonic_s() + seconds, [host.tap for host in hosts])
    for host in hosts:
        os.kill(host.pid, 9)
        os.waitpid(host.pid, 0)


class Host:
    """A process in its own network namespace, and our end of its tap device."""

    def __init__(self, name, address, work):
        said, told = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            assert ctypes.CDLL(None).unshare(NEW_NET) == 0
            os.write(said[1], b"1")
            os.read(told[0], 1)
            shell("addr", "add", f"{address}/24", "dev", name)
            shell("link", "set", name, "up")
            os.write(said[1], b"2")
            work()
        os.read(said[0], 1)
        self.tap = os.open("/dev/net/tun", os.O_RDWR)
        ioctl(self.tap, TUNSETIFF, struct.pack("16sH", name.encode(), TAP | NO_HEAD))
        shell("link", "set", name, "netns", str(self.pid))
        os.write(told[1], b"1")
        os.read(said[0], 1)


def shell(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def carry(folder, seed, end, taps):
    """Carry frames between the hosts; lose, delay and repeat some, by the seed."""
    dice = random.Random(seed)
    waiting, number = [], 0
    with (
        Capture(folder / "before.pcap") as before,
        Capture(folder / "after.pcap") as after,
    ):
        while (now := CLOCK.monotonic_s()) < end:
            due = waiting[0][0] - now if waiting else end - now
            readable, _, _ = select.select(taps, [], [], max(0.0, min(due, end - now)))
            for tap in readable:
                frame = os.read(tap, 65536)
                before.add(frame)
                other = taps[1 - taps.index(tap)]
                for _copy in range(2 if dice.random() < REPEAT else 1):
                    delay = 0.004 + (
                        dice.uniform(0, 0.02) if dice.random() < LATE else 0
                    )
                    if dice.random() >= LOSS:
                        number += 1
                        item = (CLOCK.monotonic_s() + delay, number, other, frame)
                        heapq.heappush(waiting, item)
            while waiting and waiting[0][0] <= CLOCK.monotonic_s():
                _, _, other, frame = heapq.heappop(waiting)
                after.add(frame)
                os.write(other, frame)


class Capture:
    """A pcap file with stamps in nanoseconds."""

    def __init__(self, path):
        self.file = path.open("wb")

    def __enter__(self):
        self.file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        return self

    def __exit__(self, *_exc):
        self.file.close()

    def add(self, frame):
        s, ns = divmod(CLOCK.now_ns(), 10**9)
        self.file.write(struct.pack("<IIII", s, ns, len(frame), len(frame)) + frame)


def serve():
    """Answer every request with as many bytes as it asks for."""
    for port in PORTS:
        server = socket.create_server((SERVER, port), backlog=64)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        threading.Thread(target=accept, args=(server,), daemon=True).start()
    signal.pause()


def accept(server):
    while True:
        peer, _ = server.accept()
        threading.Thread(target=answer, args=(peer,), daemon=True).start()


def answer(peer):
    try:
        while head := peer.recv(8, socket.MSG_WAITALL):
            wanted, pause = struct.unpack(">IB3x", head)
            if pause:  # the window fills, so that the client has to probe it
                CLOCK.sleep(pause / 10)
            peer.sendall(os.urandom(wanted))
    except (OSError, struct.error):
        pass
    finally:
        peer.close()


def request(seed):
    """Talk over many connections at once, of several manners."""
    for number in range(12):
        dice = random.Random(f"{seed}/{number}")
        threading.Thread(target=talk, args=(number, dice), daemon=True).start()
    signal.pause()


def talk(number, dice):
    while True:
        try:
            with socket.socket() as one:
                one.settimeout(5)
                converse(one, number, dice)
        except OSError:
            pass


def converse(one, number, dice):
    if number % 4 == 0:  # the same port again and again, ended by RST
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.bind((CLIENT, 6000 + number))
    if number % 4 == 1:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    one.connect((SERVER, dice.choice(PORTS)))
    for _round in range(dice.randrange(1, 12)):
        wanted = dice.choice((1, 100, 5_000, 60_000))
        pause = 3 if number % 4 == 2 else 0
        one.sendall(struct.pack(">IB3x", wanted, pause))
        if pause:
            one.sendall(b"\0" * 8 * dice.choice((1, 2_000)))
        one.recv(wanted, socket.MSG_WAITALL)
        if number % 4 == 1:
            CLOCK.sleep(dice.choice((0, 1.5)))
    if number % 8 == 3:
        one.shutdown(socket.SHUT_WR)
        one.recv(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
