"""Classes of TCP segments, against tshark."""

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analysis.pcap.conversations import Conversations

FIN, SYN, RST, PUSH, ACK = 1, 2, 4, 8, 16
LINK = Path(__file__).with_name("lossy_link.py")
MS = 1_000_000


# after a handshake with a round trip of 2 ms: (ms, side, seq, ack, flags, bytes)
HANDSHAKE = [
    (0, 0, 1000, 0, SYN, 0),
    (1, 1, 5000, 1001, SYN | ACK, 0),
    (2, 0, 1001, 5001, ACK, 0),
]
DATA = [(t, 0, 901 + 100 * t, 5001, ACK, 100) for t in (1, 2, 3)]
DATA = [(9 + t, *rest) for t, *rest in DATA]
RULES = {
    "new data is no retransmission": (DATA, 0),
    "what comes again late is one": ([*DATA, (500, 0, 1001, 5001, ACK, 100)], 1),
    "after three equal ACKs it is a fast one": (
        [*DATA, *[(13, 1, 5001, 1101, ACK, 0)] * 3, (14, 0, 1101, 5001, ACK, 100)],
        2,
    ),
    "after three equal ACKs but 20 ms it is not": (
        [*DATA, *[(13, 1, 5001, 1101, ACK, 0)] * 3, (33, 0, 1101, 5001, ACK, 100)],
        1,
    ),
    "after two equal ACKs it is not": (
        [*DATA, *[(13, 1, 5001, 1101, ACK, 0)] * 2, (23, 0, 1101, 5001, ACK, 100)],
        1,
    ),
    "what was acknowledged is a spurious one": (
        [*DATA, (13, 1, 5001, 1301, ACK, 0), (14, 0, 1001, 5001, ACK, 100)],
        3,
    ),
    "what overtook another is out of order": (
        [DATA[0], DATA[2], (13, 0, 1101, 5001, ACK, 100)],
        4,
    ),
    "what comes after a round trip is not": (
        [DATA[0], DATA[2], (15, 0, 1101, 5001, ACK, 100)],
        1,
    ),
    "one below the next number is a keep-alive": (
        [*DATA, (900, 0, 1300, 5001, ACK, 0)],
        5,
    ),
    "with a byte too": ([*DATA, (900, 0, 1300, 5001, ACK, 1)], 5),
    "but no FIN": ([*DATA, (900, 0, 1300, 5001, FIN | ACK, 0)], 1),
    "a SYN again is a retransmission": ([(900, 0, 1000, 0, SYN, 0)], 1),
}


@pytest.mark.parametrize("name", RULES)
def test_rule(name, make_headers):
    segments, expected = RULES[name]
    segments = [*HANDSHAKE, *segments]
    packets = []
    for _, side, seq, ack, flags, size in segments:
        ends = [("10.0.0.1", 40_000), ("10.0.0.2", 443)][:: 1 - 2 * side]
        packets.append(
            {
                **{"src": ends[0][0], "src_port": ends[0][1]},
                **{"dst": ends[1][0], "dst_port": ends[1][1]},
                **{"protocol": 6, "seq": seq, "ack": ack, "tcp_flags": flags},
                **{"window": 500, "payload_b": size},
            }
        )
    time_ns = np.array([ms * MS for ms, *_ in segments]) + 1_700_000_000 * 10**9
    analysed = Conversations().add(time_ns, make_headers(packets))
    assert analysed.retransmission.tolist()[-1] == expected


def test_rules_are_those_of_tshark(tmp_path, tshark):
    for number, (segments, expected) in enumerate(RULES.values()):
        rows = [
            (
                0,
                1_700_000_000 * 10**9 + ms * MS,
                side,
                40_000,
                *rest[:3],
                500,
                *rest[3:],
            )
            for ms, side, *rest in [*HANDSHAKE, *segments]
        ]
        write_capture(tmp_path / f"{number}.pcap", rows)
        assert tshark(tmp_path / f"{number}.pcap").code.tolist()[-1] == expected


class Talk:
    """One TCP connection, as a made-up sender and receiver leave it in a capture."""

    def __init__(self, dice, port, start_ns):
        self.dice, self.port, self.now = dice, port, start_ns
        self.next = [
            int(dice.choice((2**32 - 3000, dice.integers(2**32)))) for _ in "ab"
        ]
        self.sent = []
        self.skew = 0
        self.unit = 1 << int(dice.integers(14, 25))  # typical step of time, ns

    def wait(self):
        self.now += int(self.dice.exponential(self.unit))
        if self.dice.random() < 0.02:  # the capturing clock is set
            self.skew = int(self.dice.integers(-50 * MS, 50 * MS))

    def send(self, side, flags, size=0, seq=None, window=500, ack=None):
        seq = self.next[side] if seq is None else seq
        ack = self.next[1 - side] if ack is None else ack
        self.wait()
        number = ack % 2**32 if flags & ACK else 0
        row = (side, self.port, seq % 2**32, number, flags, window, size)
        self.sent.append((self.now, self.now + self.skew, *row))
        end = seq + size + bool(flags & (SYN | FIN))
        self.next[side] = max(self.next[side], end)

    def play(self):
        if self.dice.random() < 0.8:
            self.send(0, SYN)
            self.send(1, SYN | ACK)
            self.send(0, ACK)
        for _ in range(int(self.dice.integers(3, 60))):
            self.step()
        for side in (0, 1):
            if self.dice.random() < 0.5:
                self.send(side, int(self.dice.choice((FIN | ACK, RST, RST | ACK))))

    def step(self):
        side, what = int(self.dice.integers(2)), self.dice.random()
        size = int(self.dice.choice((1, 2, 100, 1400)))
        back = self.next[side] - int(self.dice.choice((1, 2, 100, 1400, 2800)))
        if what < 0.4:
            self.send(side, PUSH | ACK, size)
        elif what < 0.55:
            self.send(side, ACK, size, seq=back)
        elif what < 0.65:
            self.send(side, ACK, int(self.dice.integers(2)), self.next[side] - 1)
        elif what < 0.75:
            window = int(self.dice.choice((0, 500, 500)))
            for _ in range(int(self.dice.integers(1, 5))):
                self.send(side, ACK, ack=self.next[1 - side] - 1400, window=window)
            acked = self.next[1 - side] - 1400
            self.send(1 - side, ACK, 1400, seq=acked, ack=self.next[side])
        elif what < 0.8:
            self.send(side, ACK, window=0)
            self.send(1 - side, ACK, 1)
            self.send(side, ACK, window=int(self.dice.choice((0, 700))))
        elif what < 0.85:
            self.send(side, ACK, ack=self.next[1 - side] + 3000)
        elif what < 0.9:
            self.next[side] += 1400  # was lost before the capture
        elif what < 0.93:
            self.send(
                side, int(self.dice.choice((SYN, SYN | ACK, FIN | ACK))), seq=back
            )
        else:
            self.send(side, ACK)


def write_capture(path, rows):
    """Write rows of `Talk.sent` as a pcap with stamps in nanoseconds."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 101))
        for _order, now, side, port, seq, ack, flags, window, size in rows:
            ends = (port, 443) if side == 0 else (443, port)
            tcp = struct.pack(">HHIIBBHHH", *ends, seq, ack, 80, flags, window, 0, 0)
            hosts = (b"\x0a\0\0\x01", b"\x0a\0\0\x02")[:: 1 - 2 * side]
            head = struct.pack(">BBHHHBBH", 69, 0, 40 + size, 0, 0, 64, 6, 0)
            packet = head + b"".join(hosts) + tcp
            length = len(packet) + size
            stamp = divmod(now, 10**9)
            file.write(struct.pack("<IIII", *stamp, len(packet), length) + packet)


@pytest.mark.parametrize("seed", range(5))
def test_made_up_traffic_is_classified_as_in_tshark(
    seed, tmp_path, tshark, assert_equal
):
    dice = np.random.default_rng(seed)
    rows = []
    for number in range(150):
        start_ns = 1_700_000_000 * 10**9 + int(dice.integers(1000)) * MS
        # few ports, so that they are used again
        talk = Talk(dice, 40_000 + number % 60, start_ns)
        talk.play()
        rows += talk.sent
    write_capture(tmp_path / "made.pcap", sorted(rows))
    truth = tshark(tmp_path / "made.pcap")
    assert len(truth) == len(rows) > 4000
    assert np.bincount(truth.code, minlength=6).min() > 5
    assert_equal(Conversations().add(truth.time_ns, truth.headers), truth)


# tshark puts media that SIP announced into the stream that the announcement opened
ANNOUNCED = "fuzz-2006-06-26-2594.pcap"
PUBLIC = [
    "pcap-robustness/tcpdump/*",
    "pcap-robustness/pcap-fuzzer/*",
    "pcap-robustness/ndpi/*-2594.pcap",
    "openwrt-scenarios/*/*/*.pcap*",
    "fit-iot-week/pcaps/*lock*",
    "pingpong-tplink/**/*.pcap*",
]


@pytest.mark.parametrize("pattern", PUBLIC)
def test_public_captures_are_classified_as_in_tshark(
    pattern, public_data, tshark, assert_equal
):
    paths = sorted(path for path in public_data.glob(pattern) if path.is_file())[:6]
    assert paths
    for path in paths:
        truth = tshark(path)
        if len(truth):
            analysed = Conversations().add(truth.time_ns, truth.headers)
            assert_equal(analysed, truth, udp=path.name != ANNOUNCED)


@pytest.mark.live
def test_linux_hosts_over_a_lossy_link_are_classified_as_in_tshark(
    tmp_path, tshark, assert_equal
):
    if shutil.which("unshare") is None or not Path("/dev/net/tun").exists():
        pytest.skip("needs unshare and tap devices")
    enter = ["unshare", "-n", "-m", "-p", "-f", "--mount-proc", "--kill-child"]
    counts = np.zeros(6, dtype=np.int64)
    for seed in range(1, 13):  # hosts that get little time may say little in theirs
        link = [sys.executable, str(LINK), str(tmp_path), str(seed), "4"]
        subprocess.run([*enter, *link], check=True, timeout=100)
        for name in ("before.pcap", "after.pcap"):
            truth = tshark(tmp_path / name)
            assert_equal(Conversations().add(truth.time_ns, truth.headers), truth)
            counts += np.bincount(truth.code, minlength=6)
        if counts.min() > 0:
            break
    assert counts.min() > 0, f"the link made too few of a class: {counts}"
