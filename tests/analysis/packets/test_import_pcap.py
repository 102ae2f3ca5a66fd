import csv
import subprocess
from collections import Counter
from datetime import UTC
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analysis.dataset import load_activities, load_campaign
from analysis.errors import ImportDataError
from analysis.importers.activity_table import Recipe
from analysis.importers.pcap import import_pcap
from analysis.labelling import Overlap
from analysis.packets import load_packets
from analysis.pcap.blocks import LINK_RAW, Interface
from analysis.pcap.decode import decode_frames
from analysis.pcap.reader import read_frames
from analysis.pcap.writer import open_capture
from analysis.windows import cut

HEAD = "device,activity,start,end,delta,session,channel\n"
# START_NS of the frames: 2023-11-14T22:13:20Z
ZERO = "2023-11-14T22:13:"


@pytest.fixture
def bring(tmp_path, craft, write):
    """Import a capture with a packet each second from 22:13:20 and this table."""

    def _bring(table, captures=None, devices=None, **options):
        activities = tmp_path / "theirs.csv"
        activities.write_text(table)
        if captures is None:
            packets = [(t, craft.udp4(b"x")) for t in range(30)]
            captures = [write(packets, name="night one.pcapng")]
        return import_pcap(
            captures,
            activities=activities,
            devices=devices or {"lamp": craft.lamp},
            target=tmp_path / "out" / "theirs",
            **options,
        )

    (tmp_path / "out").mkdir()
    return _bring


def windows_of(done, device):
    packets = load_packets(done.folder, device)
    return cut(packets, load_activities(done.folder), device)


def test_names_that_could_act_on_a_terminal_are_refused(bring, craft, write):
    row = f"lamp,on\x1b[2J,{ZERO}25Z,{ZERO}27Z,,a\x07b,phone\n"
    with pytest.raises(ImportDataError) as caught:
        bring(HEAD + row)
    assert len(caught.value.faults) == 2
    for fault in caught.value.faults:
        assert "holds characters that cannot be printed" in fault
        assert fault.isprintable()
    odd = write([(0, craft.udp4(b"x"))], name="night\x1b[2J.pcapng")
    with pytest.raises(ImportDataError, match="cannot be printed; rename it"):
        bring(HEAD, captures=[odd])


def test_captures_without_macs_are_taken_over_by_address(bring, craft, tmp_path):
    path = tmp_path / "bare.pcapng"
    with open_capture(path, interfaces=[Interface(link=LINK_RAW)]) as capture:
        for t in range(30):
            capture.packet(craft.start_ns + t * 10**9, craft.udp4(b"x")[14:])
    table = HEAD + f"lamp,turn_on,{ZERO}25Z,{ZERO}27Z,,,phone\n"
    with pytest.raises(ImportDataError, match="the device's ip is needed"):
        bring(table, captures=[path])
    with pytest.raises(ImportDataError, match="must be an IP address, got 'lamp'"):
        bring(table, captures=[path], devices={"lamp": f"{craft.lamp},lamp"})
    done = bring(table, captures=[path], devices={"lamp": f"{craft.lamp},10.77.0.11"})
    assert load_packets(done.folder, "lamp").outbound.tolist() == [True] * 30


def test_a_zone_that_was_given_is_named_when_it_does_not_fit(bring):
    table = HEAD + "".join(
        f"lamp,turn_on,2023-11-14 22:13:{s},,1 s,,\n" for s in (25, 30, 35)
    )
    recipe = Recipe(zone=ZoneInfo("Europe/Berlin"))
    with pytest.raises(ImportDataError) as told:
        bring(table, recipe=recipe)
    assert "local time of UTC+0 taken as Europe/Berlin" in str(told.value)


def test_a_cut_capture_is_named_where_a_row_lies_behind_its_end(bring, write, craft):
    path = write([(t, craft.udp4(b"x")) for t in range(30)])
    path.write_bytes(path.read_bytes()[:-9])
    table = HEAD + f"lamp,turn_on,{ZERO}25Z,,1 s,,\nlamp,turn_on,{ZERO}59Z,,1 s,,\n"
    with pytest.raises(ImportDataError, match="which ends inside a packet at byte"):
        bring(table, captures=[path])


def test_an_import_is_a_campaign_like_any_other(bring, tshark, craft):
    table = HEAD + f"lamp,turn_on,{ZERO}25Z,{ZERO}27Z,,,phone\n"
    table += f"lamp,turn_off,{ZERO}40.5Z,,4 s,evening,\n"
    done = bring(table)
    campaign = load_campaign(done.folder)
    assert (campaign.form, campaign.simulated, campaign.name) == (
        "imported",
        False,
        "theirs",
    )
    log = load_activities(done.folder).frame
    assert log["outcome"].to_list() == ["unchecked", "unchecked"]
    assert log["session"].to_list() == ["night_one", "evening"]
    assert log["t_uncertainty_ns"].to_list() == [10**9, 10**8]
    assert log["t_ns"][1] == craft.start_ns + 20_500_000_000
    assert log["delta_ns"][1] == 4 * 10**9
    packets = load_packets(done.folder, "lamp")
    windows = cut(packets, load_activities(done.folder), "lamp", widen=False)
    assert windows.n_packets.tolist() == [3, 4]
    rows = tshark(done.folder / "labelled/lamp.pcapng", "frame.comment")
    assert Counter(bool(row["frame.comment"]) for row in rows) == {False: 23, True: 7}
    checked = subprocess.run(
        ["sha256sum", "-c", "MANIFEST.sha256"],
        cwd=done.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0
    assert len(checked.stdout.splitlines()) == 9


def test_an_end_is_inclusive_and_segments_may_follow_without_a_gap(bring):
    stamps = [f"17000000{n}" for n in ("05", "10", "15")]
    table = "device,activity,start_epoch,end_epoch\n"
    table += f"lamp,a,{stamps[0]}.000000,{stamps[1]}.000000\n"
    table += f"lamp,b,{stamps[1]}.000000,{stamps[2]}.000000\n"
    done = bring(table)
    windows = cut(
        load_packets(done.folder, "lamp"), load_activities(done.folder), "lamp"
    )
    assert windows.n_packets.tolist() == [5, 6]


def test_every_fault_is_named_at_once_with_its_line(bring):
    table = HEAD
    table += f"lmap,turn_on,{ZERO}25Z,,4 s,,\n"
    table += f"lamp,,{ZERO}25,,4 s,,carrier pigeon\n"
    table += f"lamp,turn_on,{ZERO}35Z,{ZERO}34Z,,,\n"
    table += f"lamp,turn_on,{ZERO}35Z,,,,\n"
    table += f"lamp,turn_on,{ZERO}36Z,{ZERO}37Z,5 s,,\n"
    table += "lamp,turn_on,2023-11-14T23:13:36Z,,4 s,,\n"
    table += f"lamp,turn_on,{ZERO}25Z,,4 s,,\n"
    table += f"lamp,turn_off,{ZERO}27Z,,4 s,,\n"
    with pytest.raises(ImportDataError) as caught:
        bring(table)
    faults = [fault.split("theirs.csv: ")[1] for fault in caught.value.faults]
    expected = [
        "line 2: device: 'lmap' is not one of --device (lamp)",
        "line 3: activity: is empty",
        "line 3: channel: must be one of phone, voice, power, api",
        f"line 3: start: has no time zone; add an offset such as +01:00, or give "
        f"--timezone, got '{ZERO}25'",
        "line 4: end: is before the start",
        "line 5: end: is empty, and so is delta",
        "line 6: delta: is given beside an end",
        "line 7: start: lies in no capture; it is +3616.0 s from the start of",
        "line 9: turn_off of lamp overlaps turn_on of line 8 by 2 s",
    ]
    assert len(faults) == len(expected)
    for fault, start in zip(faults, expected, strict=True):
        assert fault.startswith(start)
    assert "9 faults" in str(caught.value)


def test_a_naive_start_is_taken_in_the_zone_that_was_given(bring):

    table = HEAD + "lamp,turn_on,2023-11-14T23:13:25,,4 s,,\n"
    done = bring(table, recipe=Recipe(zone=ZoneInfo("Europe/Berlin")))
    assert load_packets(done.folder, "lamp").time_ns.size == 30
    assert done.labels.devices[0].n_labelled == 4


def test_foreign_columns_are_mapped_and_the_rest_is_named(bring):
    table = f"command,when,who\nlights on,{ZERO}25Z,me\n"
    recipe = Recipe(
        columns={"activity": "command", "start": "when"},
        constants={"device": "lamp", "channel": "voice"},
        delta_ns=4 * 10**9,
    )
    done = bring(table, recipe=recipe)
    log = load_activities(done.folder).frame
    assert (log["activity"][0], log["channel"][0]) == ("lights on", "voice")
    assert done.ignored == ("who",)


@pytest.mark.parametrize(
    ("table", "recipe", "message"),
    [
        ("device,activity\n", Recipe(), "line 1: needs exactly one column of start"),
        ("activity,start\n", Recipe(), "line 1: has no column 'device'"),
        (HEAD, Recipe(columns={"start": "when"}), "line 1: has no column 'when'"),
        (HEAD, Recipe(columns={"begin": "start"}), "no column is called 'begin'"),
        (HEAD, Recipe(), "holds no activity"),
    ],
)
def test_a_table_of_another_shape_is_refused(bring, table, recipe, message):
    with pytest.raises(ImportDataError, match=message):
        bring(table, recipe=recipe)


def test_a_wrong_mac_is_told_which_are_there(bring, craft, tmp_path):
    table = HEAD + f"lamp,turn_on,{ZERO}25Z,,4 s,,\n"
    with pytest.raises(ImportDataError, match="no capture holds a packet of") as caught:
        bring(table, devices={"lamp": "02:00:00:00:00:99"})
    assert f"{craft.lamp} (30)" in str(caught.value)
    with pytest.raises(ImportDataError, match="must be a MAC address"):
        bring(table, devices={"lamp": "nine"})
    assert list((tmp_path / "out").iterdir()) == []


def test_overlap_is_cut_or_dropped_when_asked(bring, tmp_path):
    table = HEAD + f"lamp,a,{ZERO}25Z,,4 s,,\nlamp,b,{ZERO}27Z,,4 s,,\n"
    assert bring(table, overlap=Overlap.CUT).labels.devices[0].n_labelled == 6
    with pytest.raises(ImportDataError, match="exists"):
        bring(table)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"theirs"}


def test_a_cut_or_compressed_capture_becomes_whole_pcapng(
    bring, craft, write, capinfos
):
    path = write([(t, craft.udp4(b"x")) for t in range(30)])
    path.write_bytes(path.read_bytes()[:-7])
    table = HEAD + f"lamp,turn_on,{ZERO}25Z,,4 s,,\n"
    done = bring(table, captures=[path])
    raw = list((done.folder / "raw").glob("*.pcapng"))
    assert len(raw) == 1
    assert capinfos(raw[0]).returncode == 0
    frames = read_frames(raw[0])
    assert len(frames) == 29
    assert frames.truncated_at is None


def test_every_packet_of_a_capture_of_one_device_can_be_taken(bring, craft, write):
    packets = [(5, craft.udp4(b"x")), (6, craft.udp4(b"x", src="02:00:00:00:00:55"))]
    path = write(packets)
    table = HEAD + f"lamp,turn_on,{ZERO}25Z,,4 s,,\n"
    done = bring(table, captures=[path], every_packet=True)
    assert load_campaign(done.folder).devices[0].every_packet
    assert load_packets(done.folder, "lamp").outbound.tolist() == [True, False]


ECHO = "4c:ef:c0:03:f2:38"


def import_alexa(public_data, target, **options):
    folder = public_data / "vcfp-alexa"
    recipe = Recipe(
        columns={"activity": "command", "session": "pcap"},
        constants={"device": "echo", "channel": "voice"},
    )
    return import_pcap(
        sorted((folder / "pcap" / "sean_kennedy").glob("*.pcap")),
        activities=folder / "segments.csv",
        devices={"echo": ECHO},
        target=target,
        recipe=recipe,
        **options,
    )


def segments(public_data):
    with (public_data / "vcfp-alexa" / "segments.csv").open() as file:
        return sorted(csv.DictReader(file), key=lambda row: float(row["start_epoch"]))


def test_each_real_echo_trace_gets_exactly_the_packets_of_the_echo(
    public_data, tmp_path
):
    done = import_alexa(public_data, tmp_path / "alexa")
    windows = cut(
        load_packets(done.folder, "echo"), load_activities(done.folder), "echo"
    )
    rows = segments(public_data)
    assert len(windows) == len(rows) == 60
    assert len(set(windows.session)) == len(set(windows.activity)) == 12
    for row, found in zip(rows, windows.n_packets.tolist(), strict=True):
        path = public_data / "vcfp-alexa" / "pcap" / "sean_kennedy" / row["pcap"]
        first, n = int(row["first_packet"]), int(row["packets"])
        decoded = decode_frames(read_frames(path)).take(np.arange(first, first + n))
        mac = int(ECHO.replace(":", ""), 16)
        own = int(((decoded.src_mac == mac) | (decoded.dst_mac == mac)).sum())
        assert abs(found - own) <= 1, row["trace_csv"]


def test_each_real_echo_trace_gets_exactly_all_its_packets(public_data, tmp_path):
    done = import_alexa(public_data, tmp_path / "alexa", every_packet=True)
    windows = cut(
        load_packets(done.folder, "echo"), load_activities(done.folder), "echo"
    )
    rows = segments(public_data)
    published = np.array([int(row["packets"]) for row in rows])
    assert np.abs(windows.n_packets - published).max() <= 1


def test_the_real_plug_answers_inside_its_windows(public_data, tmp_path):
    from datetime import datetime

    folder = public_data / "openwrt-scenarios" / "tplink-plug" / "no-firewall"
    capture = folder / "wlan2.4.pcap"
    start_ns = int(read_frames(capture).time_ns[0])
    lines = ["device,activity,start,delta,channel,network"]
    for at_s, activity in ((93, "turn_on"), (153, "turn_off")):
        begin = datetime.fromtimestamp(start_ns // 10**9 + at_s, UTC)
        lines.append(f"plug,{activity},{begin.isoformat()},8 s,phone,lan")
    table = tmp_path / "plug.csv"
    table.write_text("\n".join(lines) + "\n")
    done = import_pcap(
        [capture],
        activities=table,
        devices={"plug": "50:c7:bf:ed:0a:54"},
        target=tmp_path / "plug",
    )
    packets = load_packets(done.folder, "plug")
    windows = cut(packets, load_activities(done.folder), "plug")
    for k, at_s in enumerate((95.0, 155.0)):
        rows = slice(int(windows.first[k]), int(windows.last[k]))
        # the 49 bytes of {"system":{"set_relay_state":{"err_code":0}}} and its length
        reply = packets.outbound[rows] & (packets.src_port[rows] == 9999)
        reply &= packets.payload_b[rows] == 49
        times_s = (packets.time_ns[rows][reply] - start_ns) / 1e9
        assert times_s.tolist() == pytest.approx([at_s], abs=0.05)


def test_a_trial_that_is_named_twice_is_refused(bring):
    table = "device,activity,start,delta,trial\n"
    table += f"lamp,turn_on,{ZERO}25Z,2 s,one\n"
    table += f"lamp,turn_off,{ZERO}35Z,2 s,one\n"
    with pytest.raises(ImportDataError, match="'one' is that of line 2 already"):
        bring(table)


def test_activities_in_a_wrong_time_zone_are_one_fault_that_names_it(bring):
    table = HEAD + "lamp,turn_on,2023-11-15T03:43:25Z,,4 s,,\n"
    with pytest.raises(ImportDataError) as caught:
        bring(table)
    (fault,) = caught.value.faults
    assert "no activity lies in a capture: the first is at 2023-11-15 03:43:25" in fault
    assert "local time of UTC+5:30 taken as UTC" in fault


@pytest.mark.parametrize("name", ["idle", "Unknown"])
def test_names_of_our_own_classes_are_no_activities(bring, name):
    with pytest.raises(ImportDataError, match=f"line 2: activity: '{name}' is what"):
        bring(HEAD + f"lamp,{name},{ZERO}25Z,,4 s,,\n")


def test_captures_of_a_link_type_that_is_not_understood_are_named(bring, write):
    ppp = write([(1, bytes(40))], interfaces=(Interface(link=9),))
    table = HEAD + f"lamp,turn_on,{ZERO}21Z,,1 s,,\n"
    with pytest.raises(ImportDataError, match=r"of PPP \(link type 9\) only"):
        bring(table, captures=[ppp])
