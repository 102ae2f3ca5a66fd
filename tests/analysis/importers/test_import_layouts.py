from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from analysis.dataset import load_activities, load_campaign
from analysis.errors import ImportDataError
from analysis.importers.moniotr import import_moniotr, load_macs
from analysis.importers.pingpong import import_pingpong
from analysis.importers.stamps import load_zone
from analysis.labelling import Overlap
from analysis.packets import load_packets
from analysis.windows import cut

MAC = "02:00:00:00:00:11"
ZONE = load_zone("America/Los_Angeles")


def epoch(text, zone=ZONE):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(str(zone))).timestamp()


T0 = epoch("2018-11-08T14:38:04")


def windows_of(done, device):
    log = load_activities(done.folder)
    return cut(load_packets(done.folder, device), log, device, widen=False)


@pytest.fixture
def moniotr(tmp_path):
    def _bring(**options):
        options = {"device": "yi-camera", "mac": MAC, **options}
        target = tmp_path / "done"
        return import_moniotr(tmp_path / "theirs", target=target, **options)

    return _bring


@pytest.fixture
def pingpong(tmp_path):
    def _bring(**options):
        options = {"device": "plug", "mac": MAC, "zone": ZONE, **options}
        target = tmp_path / "done"
        return import_pingpong(tmp_path / "theirs", target=target, **options)

    return _bring


@pytest.fixture
def stamped(tmp_path):
    def _write(*lines, name="plug-nov-8-2018"):
        path = tmp_path / "theirs" / "plug" / "timestamps" / f"{name}.timestamps"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")

    return _write


def test_each_file_of_moniotr_is_a_window_and_each_date_a_session(moniotr, record):
    record("yi-camera/android_lan_photo/2019-04-26_22:07:05.36s.pcap", (1e9, 1e9 + 2))
    record("yi-camera/power/2019-04-25_19:28:58.154s.pcap", (9e8, 9e8 + 1, 9e8 + 5))
    record("yi-camera/local_voice/2019-04-26_22:09:05.4s.pcap", (1e9 + 60,))
    record("other/power/2019-04-25_19:28:58.1s.pcap", (8e8,))
    left = record(
        "yi-camera/power/2019-04-25_19:28:58.154s.companion.phone.pcap", (9e8,)
    )
    done = moniotr()
    windows = windows_of(done, "yi-camera")
    names = ["power", "android_lan_photo", "local_voice"]
    assert windows.activity.tolist() == names
    assert windows.session.tolist() == ["2019-04-25", "2019-04-26", "2019-04-26"]
    assert windows.channel.tolist() == ["power", "phone", "voice"]
    assert windows.network.tolist() == ["", "lan", ""]
    assert windows.n_packets.tolist() == [3, 2, 1]
    assert (windows.end_ns - windows.start_ns).tolist()[0] == 5 * 10**9 + 1
    assert done.left_out == (left,)
    assert load_campaign(done.folder).devices[0].mac == MAC


def test_a_capture_of_moniotr_without_a_packet_is_left_out_and_told(moniotr, record):
    record("yi-camera/power/2019-04-25_19:28:58.154s.pcap", (9e8, 9e8 + 1))
    empty = record("yi-camera/power/2019-04-25_20:28:58.1s.pcap", ())
    assert moniotr().left_out == (empty,)


def test_what_is_no_layout_of_moniotr_is_told(moniotr, record, tmp_path):
    record("yi-camera/power/first.pcap", (9e8,))
    record("yi-camera/idle/2019-04-25_19:28:58.154s.pcap", (9e8,))
    with pytest.raises(ImportDataError) as caught:
        moniotr()
    told = "\n".join(caught.value.faults)
    assert "power/first.pcap: is not named as 2019-04-25_19:28:58.154s.pcap" in told
    assert "'idle' is what windows without an activity are called" in told
    with pytest.raises(ImportDataError, match="has no folder 'yi'; it has yi-camera"):
        moniotr(device="yi")
    (tmp_path / "theirs" / "bare").mkdir()
    with pytest.raises(ImportDataError, match=r"bare: holds no ACTIVITY/\*.pcap"):
        moniotr(device="bare")
    assert not (tmp_path / "done").exists()


def test_files_of_moniotr_of_one_time_are_refused(moniotr, record):
    record("yi-camera/power/2019-04-25_19:28:58.99s.pcap", (9e8, 9e8 + 99))
    record("yi-camera/photo/2019-04-25_19:28:59.9s.pcap", (9e8 + 5, 9e8 + 12))
    record("yi-camera/photo/2019-04-25_19:29:59.9s.pcap", (9e8 + 55, 9e8 + 62))
    with pytest.raises(ImportDataError) as caught:
        moniotr()
    assert len(caught.value.faults) == 2
    for fault in caught.value.faults:
        assert "58.99s.pcap; its packets would count twice, so leave one" in fault


def test_a_file_of_moniotr_named_after_no_date_is_told(moniotr, record):
    record("yi-camera/power/2019-99-99_19:28:58.9s.pcap", (9e8, 9e8 + 9))
    record("yi-camera/power/2019-04-25_29:28:58.9s.pcap", (8e8, 8e8 + 9))
    with pytest.raises(ImportDataError, match="named after no date and time") as caught:
        moniotr()
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize("name", ["photo\x1b[2J", "po\x9bwer"])
def test_a_folder_of_moniotr_that_could_act_on_a_terminal_is_refused(
    moniotr, record, name
):
    record(f"yi-camera/{name}/2019-04-25_19:28:58.9s.pcap", (9e8, 9e8 + 9))
    with pytest.raises(ImportDataError, match="cannot be printed; rename") as caught:
        moniotr()
    assert str(caught.value).isprintable()
    with pytest.raises(ImportDataError, match="has no folder 'x'; it has yi-camera"):
        moniotr(device="x")


@pytest.mark.parametrize("bring", [import_moniotr, import_pingpong])
def test_a_device_that_no_folder_can_be_called_is_refused_before_any_is_read(
    bring, tmp_path, monkeypatch
):
    def walked(*_args):
        raise AssertionError("a folder was walked through")

    monkeypatch.setattr(Path, "rglob", walked)
    monkeypatch.setattr(Path, "glob", walked)
    options = {"zone": ZONE} if bring is import_pingpong else {}
    with pytest.raises(ImportDataError, match="device: must be letters"):
        bring(tmp_path, device="/", mac=MAC, target=tmp_path / "done", **options)


def test_a_campaign_that_is_there_asks_for_the_option_that_names_it(moniotr, tmp_path):
    (tmp_path / "done").mkdir()
    with pytest.raises(ImportDataError, match=r"done: exists; give another --out$"):
        moniotr()


def test_a_trigger_of_pingpong_after_the_last_day_is_told(pingpong, record, stamped):
    record("plug/wlan1/a.pcap", [T0, T0 + 30])
    stamped("11:59:53 PM", "12:02:04 AM", name="plug-dec-31-9999")
    stamped("12/31/9999 11:59:53 PM", name="said")
    with pytest.raises(ImportDataError) as caught:
        pingpong()
    assert len(caught.value.faults) == 3
    for fault in caught.value.faults:
        assert "is not between 1990 and 2100" in fault


def test_an_event_of_pingpong_that_could_act_on_a_terminal_is_refused(
    pingpong, record, stamped
):
    record("plug/wlan1/a.pcap", [T0, T0 + 30])
    stamped("2:38:04 PM")
    with pytest.raises(ImportDataError, match="event: holds characters"):
        pingpong(events=("on\x1b[2J", "off"))


def test_a_wrong_mac_is_told_with_those_that_were_seen(moniotr, record):
    record("yi-camera/power/2019-04-25_19:28:58.9s.pcap", (9e8, 9e8 + 9))
    with pytest.raises(ImportDataError, match="the most seen are 02:00:00:00:00:11"):
        moniotr(mac="02:00:00:00:00:99")


def test_a_list_of_devices_may_leave_zeros_out(tmp_path):
    path = tmp_path / "devices.txt"
    path.write_text("f8:da:c:7b:a:8f printer\n\n# none\n0:fc:5c:e0:81:86 camera\n")
    macs = {"printer": "f8:da:0c:7b:0a:8f", "camera": "00:fc:5c:e0:81:86"}
    assert load_macs(path) == macs
    path.write_text(path.read_text().replace(" ", "\t"))
    assert load_macs(path) == macs
    path.write_text("f8:da:c:7b:a x\nno\nf8:da:c:7b:a:zz x\n0:0:0:0:0:1 a\x1b[2J\n")
    with pytest.raises(ImportDataError, match="4 faults"):
        load_macs(path)


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (("11/08/2018 2:38:04 PM", "11/08/2018 02:40:15 PM"), "anything"),
        (("11/08/2018 14:38:04", "11/08/2018 14:40:15"), "anything"),
        (("2:38:04 PM", "2:40:15 PM"), "plug-nov-8-2018"),
        (("2:38:04 PM", "", "2:40:15 PM"), "plug-november-8-2018"),
    ],
)
def test_triggers_of_pingpong_alternate_and_have_15_s(
    pingpong, record, stamped, lines, name
):
    stamped(*lines, name=name)
    times = [T0 - 60, T0 + 0.5, T0 + 14.9, T0 + 16, T0 + 131, T0 + 200]
    record("plug/wlan1/plug.wlan1.local.pcap", times)
    windows = windows_of(pingpong(), "plug")
    assert windows.activity.tolist() == ["on", "off"]
    assert windows.start_ns.tolist() == [int(T0) * 10**9, int(T0 + 131) * 10**9]
    assert set((windows.end_ns - windows.start_ns).tolist()) == {15 * 10**9}
    assert windows.n_packets.tolist() == [2, 1]
    assert windows.session.tolist() == [name, name]


def test_times_of_pingpong_without_a_date_roll_over_at_midnight(
    pingpong, record, stamped
):
    stamped("11:59:53 PM", "12:02:04 AM", "12:04:00 AM", name="plug-dec-31-2018")
    start = epoch("2018-12-31T23:59:53")
    record("plug/wlan1/a.pcap", [start + k for k in range(300)])
    windows = windows_of(pingpong(events=("on", "dim", "off")), "plug")
    assert windows.activity.tolist() == ["on", "dim", "off"]
    steps = [start, epoch("2019-01-01T00:02:04"), epoch("2019-01-01T00:04:00")]
    assert windows.start_ns.tolist() == [int(s) * 10**9 for s in steps]


def test_all_faults_of_the_times_come_at_once(pingpong, record, stamped):
    record("plug/wlan1/a.pcap", [T0, T0 + 30])
    stamped("half past two", "13:00:00 PM", "11/04/2018 1:30:00 AM", "25:00:00")
    stamped("2:38:04 PM", name="undated")
    stamped("11/08/2018 2:38:04 PM", "11/08/2018 2:38:04 PM", name="same")
    stamped(name="empty-nov-8-2018")
    with pytest.raises(ImportDataError) as caught:
        pingpong()
    told = "\n".join(caught.value.faults)
    for sentence in (
        "line 1: must be a time as 11/08/2018 2:38:04 PM, or 2:38:04 PM, got 'half",
        "line 2: must have an hour from 1 to 12 before AM or PM",
        "line 3: is ambiguous or does not exist in America/Los_Angeles",
        "line 4: hour must be in 0..23",
        "undated.timestamps: line 1: has no date, nor has the name of the file",
        "same.timestamps: line 2: is not later than line 1",
        "empty-nov-8-2018.timestamps: holds no time",
    ):
        assert sentence in told, sentence


def test_a_trigger_outside_of_the_capture_asks_for_the_zone(pingpong, record, stamped):
    stamped("2:38:04 PM", "5:38:04 PM")
    record("plug/wlan1/a.pcap", [T0, T0 + 30])
    with pytest.raises(ImportDataError, match="is the time zone right") as caught:
        pingpong()
    assert "line 2: lies in no capture; it is +10800 s" in str(caught.value)


def test_captures_of_two_points_are_refused_until_one_is_named(
    pingpong, record, stamped
):
    stamped("2:38:04 PM")
    record("plug/wlan1/a.pcap", [T0, T0 + 30])
    record("plug/eth1/a.pcap", [T0, T0 + 29])
    with pytest.raises(ImportDataError, match="give the name of the folder to take"):
        pingpong()
    done = pingpong(within="wlan1")
    assert windows_of(done, "plug").n_packets.tolist() == [1]
    assert [path.parent.name for path in done.left_out] == ["eth1"]


def test_what_is_no_layout_of_pingpong_is_told(pingpong, record, stamped):
    record("plug/wlan1/a.pcap", [T0])
    with pytest.raises(ImportDataError, match=r"holds no \*.timestamps"):
        pingpong()
    stamped("2:38:04 PM")
    with pytest.raises(ImportDataError, match=r"no \*.pcap below a folder 'eth9'"):
        pingpong(within="eth9")
    with pytest.raises(ImportDataError, match="events must be names such as on,off"):
        pingpong(events=("on", ""))
    with pytest.raises(ImportDataError, match="has no folder 'bulb'; it has plug"):
        pingpong(device="bulb")


def test_triggers_closer_than_their_window_are_refused_or_cut(
    pingpong, record, stamped
):
    stamped("2:38:04 PM", "2:38:10 PM")
    record("plug/wlan1/a.pcap", [T0, T0 + 30])
    with pytest.raises(ImportDataError, match="off of plug overlaps on of line 1 by"):
        pingpong()
    assert pingpong(overlap=Overlap.CUT).labels.devices[0].n_cut == 1
