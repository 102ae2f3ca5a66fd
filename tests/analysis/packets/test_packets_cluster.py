"""The same tables come out of a Dask cluster as out of this machine."""

import contextlib
import hashlib
import json
import logging
import subprocess
import sys

import pytest

from analysis.dataset import Device
from analysis.errors import ClusterError
from analysis.packets import cluster, make_tables
from analysis.pcap.errors import CaptureError

LOOPBACK = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
ALONE = ("--nthreads", "1", "--no-nanny", "--no-dashboard")


@contextlib.contextmanager
def process(folder, name, *words, until):
    """Run a part of a cluster until the end of the block; wait for what it says."""
    command = [sys.executable, "-m", "dask", *map(str, words)]
    log = folder / f"{name}.log"
    with log.open("w") as told:
        running = subprocess.Popen(command, stderr=told, stdout=told, cwd=folder)
    try:
        while until not in log.read_text():
            assert running.poll() is None, log.read_text()
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(0.05)
        yield
    finally:
        running.terminate()
        running.wait(120)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """Run a scheduler without a worker; its folder, file and address."""
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    words = ("scheduler", *LOOPBACK, "--scheduler-file", file)
    with process(folder, "scheduler", *words, until="Scheduler at:"):
        yield folder, file, json.loads(file.read_text())["address"]


@pytest.fixture(scope="module")
def address(scheduler):
    """Run two workers of the scheduler; its address."""
    folder, file, where = scheduler
    with contextlib.ExitStack() as stack:
        for name in ("one", "two"):
            place = folder / name
            place.mkdir()
            words = ("worker", *ALONE, "--scheduler-file", file)
            words += ("--local-directory", place)
            stack.enter_context(
                process(place, name, *words, until="Starting established connection")
            )
        yield where


@pytest.fixture
def lamp(craft):
    return Device(name="lamp", mac=craft.lamp)


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in folder.rglob("*.parquet")
    }


def run(*words):
    done = subprocess.run(
        [sys.executable, "-m", "testbed", "packets", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_scheduler_without_workers_is_one_sentence(scheduler, craft, write, tmp_path):
    _folder, _file, where = scheduler
    path = write([(1, craft.udp4(b"x"))])
    out = tmp_path / "out"
    words = (path, "--device", craft.lamp, "--out", out, "--cluster", where)
    assert run(*words) == (
        3,
        "",
        f"testbed: {where}: the scheduler has no worker; start some\n",
    )
    assert list(out.iterdir()) == []


def test_two_workers_write_the_tables_that_this_machine_writes(
    address, craft, write, tmp_path
):
    frames = craft.mixed() * 20
    paths = [
        write([(k + n / 10, f) for n, f in enumerate(frames)], name=f"{k}.pcapng")
        for k in range(4)
    ]
    words = (*paths, "--device", f"lamp={craft.lamp}", "--device", f"c={craft.cloud}")
    here, there = tmp_path / "here", tmp_path / "there"
    alone = run(*words, "--out", here)
    spread = run(*words, "--out", there, "--cluster", address)
    assert spread[0] == 0, spread[2]
    assert spread[1] == alone[1].replace(str(here), str(there))
    assert len(digests(here)) == 16
    assert digests(there) == digests(here)
    assert (there / "packets.json").read_text() == (here / "packets.json").read_text()


def test_what_a_worker_finds_wrong_is_told_here(address, craft, lamp, tmp_path):
    bad, out = tmp_path / "bad.pcap", tmp_path / "out"
    bad.write_bytes(b"this is no capture")
    with pytest.raises(CaptureError, match="is not a pcap or pcapng file") as caught:
        make_tables(out, [bad], [lamp], run=on(address))
    assert (caught.value.path, caught.value.offset) == (bad, 0)
    assert list(out.iterdir()) == []


def test_a_worker_that_sees_other_files_is_named(address, craft, write, lamp, tmp_path):
    path = write([(1, craft.udp4(b"x"))])
    jobs = []

    def elsewhere(given, told):
        """Take the capture away before the workers look for it."""
        jobs.extend(given)
        path.rename(tmp_path / "moved")
        return cluster.run_on_cluster(address, given, told)

    with pytest.raises(FileNotFoundError):
        make_tables(tmp_path / "out", [path], [lamp], run=elsewhere)
    with pytest.raises(ClusterError, match=r"worker tcp://.* cannot see .*raw\.pcapng"):
        list(submit(address, jobs[0], 10))
    (tmp_path / "moved").rename(path)
    (tmp_path / "out").mkdir(exist_ok=True)
    with pytest.raises(ClusterError, match="it has another size there"):
        list(submit(address, jobs[0], 10))


def on(address):
    return lambda jobs, told: cluster.run_on_cluster(address, jobs, told)


def submit(address, job, size_b):
    """Send one job with a size that we claim to see."""
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        future = client.submit(
            cluster.tabulate_here, job, size_b, cluster.READER, pure=False
        )
        yield future.result()


def test_an_address_where_nobody_answers_is_one_sentence(craft, write, tmp_path):
    words = (write([(1, craft.udp4(b"x"))]), "--device", craft.lamp)
    words += ("--out", tmp_path / "out", "--cluster", "tcp://127.0.0.1:1")
    assert run(*words) == (
        3,
        "",
        "testbed: tcp://127.0.0.1:1: no Dask scheduler answers within 5 s; is the "
        "address right?\n",
    )


def test_without_the_extra_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"pip install 'smarthome-testbed\[cluster"):
        list(cluster.run_on_cluster("tcp://127.0.0.1:1", [], lambda _b: None))


@pytest.mark.parametrize(
    ("ours", "theirs"), [(logging.WARNING, logging.CRITICAL), (logging.DEBUG, 0)]
)
def test_what_dask_tells_is_shown_when_asked_to_show_all(caplog, ours, theirs):
    pytest.importorskip("distributed")
    caplog.set_level(ours)
    caplog.set_level(logging.NOTSET, "distributed")
    with pytest.raises(ClusterError, match="is the address right"):
        list(cluster.run_on_cluster("senseless", [], print))
    assert logging.getLogger("distributed").level == theirs
