"""`testbed packets`: on campaigns, on captures of others, and on wrong input."""

import contextlib
import json
import os
import random
import signal
import struct
import subprocess
import sys

import pytest

from analysis.pcap.blocks import LINK_SLL, Interface
from analysis.pcap.writer import open_capture
from testbed.cli import main
from testbed.cli.packets import device_of
from testbed.errors import ConfigError

MUCH_B = 20_000_000
COMMAND = (sys.executable, "-m", "testbed", "packets")


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command in this process; return its exit code, output and errors."""

    def _run(*words):
        monkeypatch.setattr(sys, "argv", ["testbed", "packets", *map(str, words)])
        try:
            main()
        except SystemExit as exc:
            told = capsys.readouterr()
            return exc.code or 0, told.out, told.err
        raise AssertionError("main() leaves with an exit code")

    return _run


def names_in(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


@pytest.fixture
def two(craft, write):
    """Two captures; in the second a segment comes twice, and a stamp goes back."""
    first = write([(t, craft.udp4(b"x")) for t in range(20)], name="a.pcapng")
    segment = craft.tcp4(b"hello")
    second = write([(30, segment), (32, segment), (31, craft.arp())], name="b.pcapng")
    return first, second


def test_captures_of_others_become_tables(run, two, craft, tmp_path):
    out = tmp_path / "out"
    words = (*two, "--device", f"lamp={craft.lamp}", "--out", out)
    code, output, errors = run(*words)
    assert (code, errors) == (0, "")
    assert output.splitlines() == [
        "lamp: 23 packets, 2 flows; cleaning would remove 0 errors, 1 retransmissions, "
        "0 out_of_order, 0 keep_alives",
        "lamp: segments: 1 retransmission, 0 fast, 0 spurious, 0 out_of_order, "
        "0 keep_alive",
        "b.pcapng: 1 stamps go backwards; tables are in order of time",
        f"tables in {out}: made of 2 captures",
    ]
    _code, again, _errors = run(*words, "--json")
    told = json.loads(again)
    assert told["captures_read"] == 0
    assert told["devices"][0]["removed"]["retransmissions"] == 1
    assert [each["packets"] for each in told["captures"]] == [20, 3]


def test_tables_that_are_current_are_said_to_be(run, two, craft, tmp_path, campaign):
    folder = campaign([[(1, craft.udp4(b"x"))]], [(1, {})])
    assert "made of 1 capture\n" in run(folder)[1]
    assert f"tables in {folder}: current, no capture was read" in run(folder)[1]


def test_it_is_told_when_half_of_the_traffic_has_no_mac(run, craft, tmp_path):
    path = tmp_path / "cooked.pcapng"
    mac = bytes.fromhex(craft.lamp.replace(":", ""))
    head = struct.pack(">HHH8sH", 4, 1, 6, mac + b"\0\0", 0x0800)
    with open_capture(path, interfaces=[Interface(link=LINK_SLL)]) as capture:
        capture.packet(craft.start_ns, head + craft.udp4(b"x")[14:])
    out = tmp_path / "out"
    code, _said, wrong = run(path, "--device", f"lamp={craft.lamp}", "--out", out)
    assert code == 0
    assert "those sent to lamp are missing; give the address" in wrong
    known = f"lamp={craft.lamp},10.77.0.11"
    assert "missing" not in run(path, "--device", known, "--out", out)[2]


def test_a_device_is_named_by_mac_name_or_profile(tmp_path):
    (tmp_path / "lamp.yaml").write_text("")
    bare = device_of("02-00-00-00-00-AA", tmp_path)
    assert (bare.name, bare.mac) == ("02-00-00-00-00-aa", "02:00:00:00:00:aa")
    named = device_of("kitchen.1=02:00:00:00:00:0A,10.0.0.7", tmp_path)
    assert (named.name, named.mac, named.ip) == (
        "kitchen.1",
        "02:00:00:00:00:0a",
        "10.0.0.7",
    )
    with pytest.raises(ConfigError, match=r"'lmap' is no MAC.*; profiles are: lamp"):
        device_of("lmap", tmp_path)
    for wrong in ("lamp=02:00", "a/b=02:00:00:00:00:0a", "a=02:00:00:00:00:0a,x"):
        with pytest.raises(ConfigError, match=r"^--device: "):
            device_of(wrong, tmp_path)


def test_the_profiles_that_ship_name_devices(run, two, tmp_path):
    code, _output, errors = run(two[0], "--device", "arlo_q", "--out", tmp_path / "out")
    assert code == 2
    assert errors == (
        "testbed: --device arlo_q: no capture holds a packet of a0:04:60:3c:91:11; the "
        "most seen are 02:00:00:00:00:11 (20)\n"
    )


def test_a_campaign_without_a_packet_of_a_device_is_told_so(run, craft, campaign):
    absent = ("cam", "02:00:00:00:00:77")
    folder = campaign([[(1, craft.udp4(b"x"))]], [], [("lamp", craft.lamp), absent])
    code, output, errors = run(folder)
    assert code == 0
    assert "cam: 0 packets, 0 flows" in output
    assert errors == (
        "testbed: device cam: no capture holds a packet of 02:00:00:00:00:77; is its "
        "MAC right?\n"
    )


def test_captures_without_macs_go_by_the_address(run, craft, tmp_path):
    path = tmp_path / "tunnel.pcapng"
    with open_capture(path, interfaces=(Interface(link=101),)) as capture:
        capture.packet(craft.start_ns, craft.udp4(b"x")[14:])
    words = (path, "--out", tmp_path / "out", "--device")
    assert run(*words, f"lamp={craft.lamp},10.77.0.11")[1].startswith("lamp: 1 packet,")
    code, _output, errors = run(*words, f"lamp={craft.lamp}")
    assert code == 2
    assert errors.endswith("hold no MAC addresses; the device's ip is needed\n")


def test_all_who_are_absent_are_named_at_once_and_captures_read_again_once(
    run, two, tmp_path, monkeypatch
):
    words = (two[0], "--out", tmp_path / "out")
    for name, end in (("cam", 77), ("tv", 78)):
        words += ("--device", f"{name}=02:00:00:00:00:{end}")
    code, _output, errors = run(*words)
    seen = "the most seen are 02:00:00:00:00:11 (20)"
    assert (code, errors) == (
        2,
        "testbed: --device cam: no capture holds a packet of 02:00:00:00:00:77; "
        f"{seen}; --device tv: no capture holds a packet of 02:00:00:00:00:78; {seen}"
        "\n",
    )

    def reads(*_args):
        raise AssertionError

    monkeypatch.setattr("analysis.packets.unseen.unseen_in", reads)
    code, _output, errors = run(*words)
    assert code == 2
    assert errors.startswith("testbed: --device cam: no capture holds a packet of 02:")


def test_the_manifest_is_true_of_tables_that_were_made_before_a_fault(
    run, craft, campaign
):
    packets = [[(t, craft.udp4(b"x")) for t in range(5)] for _ in range(2)]
    folder = campaign(packets, [(1, {})])
    (folder / "MANIFEST.sha256").write_text("")
    (folder / "raw/router-00001.pcapng").write_bytes(b"nonsense")
    (folder / "raw/.left.part").write_bytes(b"half")
    code, _output, _errors = run(folder, "--jobs", 1)
    assert code == 2
    manifest = (folder / "MANIFEST.sha256").read_text()
    assert "packets/device=lamp/router-00000.pcapng.parquet" in manifest
    assert "packets.json" in manifest
    assert ".part" not in manifest
    assert run(folder, "--jobs", 1)[0] == 2


def test_a_truncated_capture_is_read_and_named(run, two, craft, tmp_path):
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes(two[0].read_bytes()[:-10])
    device = f"lamp={craft.lamp}"
    code, output, _errors = run(cut, "--device", device, "--out", tmp_path / "out")
    assert code == 0
    assert "lamp: 19 packets" in output
    assert "cut.pcapng: ends inside a packet at byte " in output


def test_packets_of_a_link_type_that_is_not_understood_are_counted(
    run, tmp_path, craft
):
    path = tmp_path / "mixed.pcapng"
    with open_capture(path) as capture:
        usb = capture.interface(Interface(link=189))
        capture.packet(craft.start_ns, craft.udp4(b"x"))
        capture.packet(craft.start_ns, bytes(64), interface=usb)
    device = f"lamp={craft.lamp}"
    _code, output, _errors = run(path, "--device", device, "--out", tmp_path / "out")
    assert "mixed.pcapng: 1 of 2 packets are of link types that are not under" in output


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"what is this", "is not a pcap or pcapng file"),
        (b"\x0a\x0d\x0d\x0a" + bytes(40), "byte "),
    ],
)
def test_what_is_no_capture_is_one_sentence(run, tmp_path, craft, content, reason):
    path, out = tmp_path / "bad.pcap", tmp_path / "out"
    path.write_bytes(content)
    code, output, errors = run(path, "--device", craft.lamp, "--out", out)
    assert (code, output) == (2, "")
    assert errors.startswith(f"testbed: {path}: ")
    assert reason in errors
    assert errors.count("\n") == 1
    assert names_in(out) == []


def test_a_folder_that_is_no_campaign_and_options_that_make_no_sense(
    run, two, craft, tmp_path, campaign
):
    lamp, out = ("--device", craft.lamp), ("--out", tmp_path / "out")
    (tmp_path / "mine" / "packets").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / "a.pcapng"
    twin.write_bytes(two[0].read_bytes())
    folder = campaign([[(1, craft.udp4(b"x"))]], [(1, {})])
    wrong = {
        (tmp_path / "other",): "is this a campaign folder?",
        (tmp_path / "none.pcap", *lamp, *out): "none.pcap: cannot be read: no such",
        (*two, *out): "--device: is missing",
        (*two, *lamp): "--out: is missing",
        (*two, *lamp, *lamp, *out): "is given twice",
        (two[0], twin, *lamp, *out): "have one name; rename one of them",
        (two[0], tmp_path / "other", *lamp, *out): "is a folder among captures",
        (folder, *lamp): "--device: is for captures only",
        (*two, *lamp, "--out", folder): "holds a campaign; use",
        (*two, *lamp, "--out", tmp_path / "mine"): "holds packets/ of something else",
        (*two, *lamp, *out, "--jobs", 2, "--cluster", "x"): "--jobs: is for this",
    }
    for words, reason in wrong.items():
        code, output, errors = run(*words)
        assert (code, output) == (2, ""), words
        assert reason in errors
        assert errors.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_may_not_be_read_is_one_sentence(two, craft):
    two[0].chmod(0)
    words = f"testbed packets {two[0]} --device {craft.lamp} --out {two[0].parent}/out"
    # as root without the rights of root, for others cannot see the interpreter
    drop = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
    done = subprocess.run(
        [*drop, sys.executable, "-m", *words.split()],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr == f"testbed: {two[0]}: cannot be read: permission denied\n"
    assert not (two[0].parent / "out").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_full_disk_is_one_sentence_and_leaves_nothing(craft, write, tmp_path):
    noise = random.Random(7)  # so that tables do not get smaller than the disk
    numbers = [{"seq": noise.getrandbits(32), "ack": n} for n in range(20_000)]
    packets = [(n["ack"] / 1000, craft.tcp4(b"x", **n)) for n in numbers]
    small = write(packets[:9], name="a.pcapng")
    large = write(packets)
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (
        'mount -t tmpfs -o size=64k none "$1"; shift; "$@"; code=$?; '
        'cd "$0" && find . | sort >&2; exit $code'
    )
    words = [*COMMAND, small, large, "--device", craft.lamp, "--out", disk / "out"]
    words += ["--jobs", 1]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, disk, disk, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    # where reading takes long, it is told how far it is
    told, sentence, listed = done.stderr.partition(
        f"testbed: {disk}/out: the disk is full; free some space, then do it again\n"
    )
    assert sentence, done.stderr
    assert all(" left of captures" in line for line in told.splitlines())
    files = listed.splitlines()
    assert done.returncode == 4
    assert "./out/packets.json" in files
    assert [name for name in files if "raw.pcapng" in name or ".part" in name] == []


def test_an_interruption_keeps_what_is_whole(craft, write, tmp_path):
    """A capture that never ends is being read when the interruption comes."""
    whole = write([(t, craft.udp4(b"x")) for t in range(5)], name="a.pcapng")
    endless = tmp_path / "b.pcapng"
    os.mkfifo(endless)
    out = tmp_path / "out"
    words = [whole, endless, "--device", craft.lamp, "--out", out, "--jobs", 1]
    process = subprocess.Popen(
        [*COMMAND, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    data = whole.read_bytes()
    blocks = data[-int.from_bytes(data[-4:], "little") :] * 1000
    sent_b = 0
    # around the file, too: to close it writes what is left
    with contextlib.suppress(BrokenPipeError), endless.open("wb") as pipe:
        pipe.write(data)  # the first capture is done, for the second is being read
        while process.poll() is None:
            before_b, sent_b = sent_b, sent_b + pipe.write(blocks)
            if before_b < MUCH_B <= sent_b:
                process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, b"")
    *_, said = errors.splitlines()  # after how far it is, where reading takes long
    assert said.startswith(b"testbed: interrupted; tables of captures that were ")
    table = out / "packets" / f"device={craft.lamp.replace(':', '-')}"
    assert [p.name for p in table.iterdir()] == ["a.pcapng.parquet"]
    assert json.loads((out / "packets.json").read_text())["captures"][0]["name"] == (
        "a.pcapng"
    )


def test_tables_of_captures_that_are_not_named_any_more_go_with_a_word(
    run, two, craft, tmp_path
):
    out = tmp_path / "out"
    named = ("--device", f"lamp={craft.lamp}", "--out", out)
    assert run(*two, *named)[0] == 0
    code, _output, errors = run(two[1], *named)
    assert code == 0
    assert "the tables of a.pcapng were removed" in errors


def test_tables_are_not_put_into_a_campaign(run, two, craft, tmp_path):
    (tmp_path / "campaign.yaml").write_text("campaign: c\n")
    words = (*two, "--device", f"lamp={craft.lamp}", "--out", tmp_path / "raw")
    code, _output, errors = run(*words)
    assert code == 2
    assert "lies in a campaign" in errors
