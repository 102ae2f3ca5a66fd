import pytest
from typer.testing import CliRunner

from analysis.dataset import Times
from analysis.evaluate.samples import samples_of
from analysis.evaluate.splits.folds import SplitRefusedError
from analysis.evaluate.splits.named import SPLITS
from analysis.pcap.writer import open_capture
from testbed.cli import build
from testbed.errors import ConfigError

MAC = "02:00:00:00:00:11"


@pytest.fixture
def run():
    def _run(*words):
        words = [str(word) for word in words]
        return CliRunner().invoke(build(["imports"]), ["import", *words])

    return _run


def capture(path, at_s):
    path.parent.mkdir(parents=True)
    with open_capture(path) as file:
        for at in at_s:
            frame = bytes.fromhex(MAC.replace(":", "") + "0200000000ff88b5") + bytes(46)
            file.packet(at * 10**9, frame)


def test_traces_are_taken_over_and_what_was_left_out_is_told(run, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for name in ("a", "b"):
        theirs.joinpath(f"{name}.csv").write_text("t,len,dir\n0,46,1\n1,52,-1\n")
    labels = tmp_path / "labels.csv"
    labels.write_text("file,activity\na.csv,on\n")
    words = ["traces", theirs, "--labels", labels, "--out", tmp_path / "out" / "plug"]
    for pair in ("time=t", "size=len", "direction=dir"):
        words += ["--column", pair]
    words += ["--constant", "session=one", "--size-of", "ip", "--device", "plug"]
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert "plug: 1 window, 2 of 2 packets labelled" in done.output
    assert "without a label, left out: 1 file: b.csv" in done.output
    assert "sessions: 1, packets: 2" in done.output
    last = done.stdout.splitlines()[-1]
    assert last == f"wrote {tmp_path / 'out' / 'plug'}, device plug"
    assert (tmp_path / "out" / "plug" / "campaign.yaml").is_file()


def test_a_size_is_of_a_frame_or_of_an_ip_packet(run, tmp_path):
    done = run("traces", tmp_path, "--size-of", "payload")
    assert isinstance(done.exception, ConfigError)
    assert "--size-of: must be frame or ip" in str(done.exception)


def test_a_device_of_moniotr_is_found_in_the_list_of_macs(run, tmp_path):
    capture(tmp_path / "us/plug/power/2019-04-25_19:28:58.1s.pcap", (9, 10))
    macs = tmp_path / "devices_us.txt"
    macs.write_text("2:0:0:0:0:11 plug\n")
    words = ["moniotr", tmp_path / "us", "--out", tmp_path / "done", "--macs", macs]
    done = run(*words, "--device", "plug")
    assert done.exit_code == 0, done.output
    assert "plug: 1 window, 2 of 2 packets labelled" in done.output
    other = run(*words, "--device", "lamp")
    assert "must be NAME=MAC, got 'lamp'; the list has plug" in str(other.exception)


def test_a_device_of_pingpong_is_taken_over_in_the_zone_that_is_given(run, tmp_path):
    capture(tmp_path / "standalone/plug/wlan1/plug.pcap", (946_684_800, 946_684_810))
    stamps = tmp_path / "standalone/plug/timestamps/plug-jan-1-2000.timestamps"
    stamps.parent.mkdir()
    stamps.write_text("12:00:05 AM\n")
    words = ["pingpong", tmp_path / "standalone", "--out", tmp_path / "done"]
    words += ["--device", f"plug={MAC}", "--delta", "6 s"]
    done = run(*words, "--timezone", "UTC")
    assert done.exit_code == 0, done.output
    assert "plug: 1 window, 1 of 2 packets labelled" in done.output
    other = run(*words, "--timezone", "Mars/Olympus")
    assert "no time zone is called 'Mars/Olympus'" in str(other.exception)


def test_columns_that_are_not_taken_cannot_act_on_the_terminal(run, tmp_path):
    capture(tmp_path / "theirs/a.pcap", (1_700_000_000, 1_700_000_001))
    table = tmp_path / "all.csv"
    table.write_text("device,activity,start_epoch,x\x1b[2J\nplug,on,1700000000,1\n")
    words = ["pcap", tmp_path / "theirs/a.pcap", "--activities", table]
    words += ["--device", f"plug={MAC}", "--delta", "5 s", "--out", tmp_path / "out"]
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert "columns not taken: x" in done.output
    assert done.output.endswith(f"wrote {tmp_path / 'out' / 'all'}, device plug\n")
    assert "\x1b" not in done.output


def test_a_refused_import_leaves_no_folder(run, tmp_path):
    out = tmp_path / "captures" / "own"
    capture(tmp_path / "theirs/a.pcap", (1_700_000_000, 1_700_000_001))
    table = tmp_path / "act.csv"
    table.write_text("device,activity,start_epoch\nplug,on,1600000000\n")
    words = ["pcap", tmp_path / "theirs/a.pcap", "--activities", table]
    words += ["--device", f"plug={MAC}", "--delta", "5 s", "--out", out]
    assert run(*words).exit_code != 0
    assert not out.parent.exists()
    table.write_text("trace,activity\n")
    assert run("traces", table, "--out", out).exit_code != 0
    assert not out.parent.exists()


def test_the_folder_around_one_campaign_names_it(run, tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("activity,session,time,size,direction\na,s,0,60,1\n")
    own = tmp_path / "own"
    hints = {
        "act": f"did you mean {own / 'act'}?",
        "b": f"name a campaign of it, such as {own / 'act'}: it has act, b",
    }
    for name, hint in hints.items():
        done = run("traces", table, "--out", own / name)
        assert done.exit_code == 0, done.output
        words = ["evaluate", str(own)]
        told = CliRunner().invoke(build(["learn"]), words).exception
        assert str(told) == f"{own}: is a folder of campaigns; {hint}"


def test_scores_of_traces_say_what_needs_times_that_nobody_recorded(run, tmp_path):
    rows = "trace,activity,session,time,size,direction\n"
    for trial in range(24):
        activity, size = (("on", 100), ("off", 900))[trial % 2]
        for k in range(3):
            rows += f"{trial},{activity},s{trial // 6},{k},{size + trial + k},out\n"
    tmp_path.joinpath("all.csv").write_text(rows)
    folder = tmp_path / "done"
    assert run("traces", tmp_path / "all.csv", "--out", folder).exit_code == 0
    words = ["evaluate", folder, "--classifier", "nb", "--split", "s1", "--split", "s2"]
    done = CliRunner().invoke(build(["learn"]), [str(word) for word in words])
    assert done.exit_code == 0, done.output
    assert "refused: the import made up the order: which session was" in done.output
    assert "time_only: not measured: the import made up when windows" in done.output


def test_traces_of_dated_sessions_are_tested_on_the_last_days(run, tmp_path):
    rows = "trace,activity,session,day,time,size,direction\n"
    days = ("2026-03-05", "2026-03-02", "2026-02-27", "2026-03-05")
    for trial in range(24):
        activity, size = (("on", 100), ("off", 900))[trial % 2]
        day = days[trial // 6]
        for k in range(3):
            rows += (
                f"{trial},{activity},s{trial // 6},{day},{k},{size + trial + k},out\n"
            )
    tmp_path.joinpath("all.csv").write_text(rows)
    folder = tmp_path / "done"
    assert run("traces", tmp_path / "all.csv", "--out", folder).exit_code == 0
    samples = samples_of(folder, "device")
    assert samples.times is Times.DATES
    assert dict(zip(samples.session, samples.day, strict=True)) == {
        f"s{n}": day for n, day in enumerate(days)
    }
    (fold,) = SPLITS["s2"].split(samples, 0).folds
    assert set(samples.day[fold.train]) == {"2026-02-27", "2026-03-02"}
    assert set(samples.session[fold.test]) == {"s0", "s3"}
    words = ["evaluate", folder, "--classifier", "nb", "--split", "s2"]
    done = CliRunner().invoke(build(["learn"]), [str(word) for word in words])
    assert done.exit_code == 0, done.output


def test_days_that_are_no_dates_have_no_order(run, tmp_path):
    rows = "trace,activity,session,day,time,size,direction\n"
    for trial in range(24):
        activity = ("on", "off")[trial % 2]
        day = f"2026-03-{trial // 6:02}"
        rows += f"{trial},{activity},s{trial // 6},{day},0,{100 + trial},out\n"
    tmp_path.joinpath("all.csv").write_text(rows)  # there is no 2026-03-00
    folder = tmp_path / "done"
    assert run("traces", tmp_path / "all.csv", "--out", folder).exit_code == 0
    samples = samples_of(folder, "device")
    assert samples.times is Times.DAYS
    with pytest.raises(SplitRefusedError, match="dates as 2026-03-01 would tell it"):
        SPLITS["s2"].split(samples, 0)


def test_a_date_that_the_day_before_lasts_into_is_a_fault(run, tmp_path):
    rows = "trace,activity,session,day,time,size,direction\n"
    for trace, day in ((1, "01"), (2, "01"), (3, "02")):
        for at_s in (0, 50_000):
            rows += f"{trace},on,s{trace},2026-03-{day},{at_s},100,out\n"
    tmp_path.joinpath("all.csv").write_text(rows)
    done = run("traces", tmp_path / "all.csv", "--out", tmp_path / "done")
    assert "the sessions before 's3' last into day '2026-03-02'" in str(done.exception)


def test_a_stream_is_not_learnt_from_traces_of_activities_alone(run, tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("activity,session,time,size,direction\na,s,0,60,1\n")
    done = run("traces", table, "--out", tmp_path / "out", "--device", "plug")
    assert done.exit_code == 0, done.output
    words = [
        "train",
        str(tmp_path / "out"),
        "--out",
        str(tmp_path / "m"),
        "--streaming",
    ]
    done = CliRunner().invoke(build(["train"]), words)
    assert isinstance(done.exception, ConfigError)
    assert "holds traces of activities alone; train without it" in str(done.exception)
