"""Our adb server: starts, answers, and is gone when we are."""

import shutil
import signal
import socket
import subprocess
import sys
import textwrap

import pytest

from testbed.clock import SystemClock, wait_until
from testbed.drivers.adb_server import AdbServer
from testbed.errors import DriverTimeoutError, LabError
from tests.ports import free_port

needs_adb = pytest.mark.skipif(shutil.which("adb") is None, reason="needs adb")


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def server(port, tmp_path):
    server = AdbServer(port, clock=SystemClock(), usb=False, home=tmp_path)
    yield server
    server.stop()


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@needs_adb
def test_it_answers_once_started_and_is_gone_once_stopped(server, port, tmp_path):
    server.start()
    assert int(server.ask("host:version"), 16) > 0
    server.stop()
    assert not answers(port)
    assert not server.running
    assert list(tmp_path.iterdir()) == [tmp_path / ".android"]


@needs_adb
def test_it_sees_no_phones_that_nobody_connected(server):
    server.start()
    assert server.states() == {}


@needs_adb
def test_its_key_lies_in_the_folder_that_was_given(server, tmp_path):
    server.start()
    key = tmp_path / ".android" / "adbkey"
    assert wait_until(key.exists, clock=SystemClock(), deadline_s=60)


@needs_adb
def test_starting_it_twice_starts_one(server):
    server.start()
    server.start()
    assert server.running


@needs_adb
def test_a_port_that_is_taken_by_another_server_is_named(server, port, tmp_path):
    server.start()
    second = AdbServer(port, clock=SystemClock(), usb=False, home=tmp_path)
    with pytest.raises(LabError) as caught:
        second.start()
    assert str(caught.value).startswith(f"port {port}, wanted for our own adb server")
    assert "adb_port in lab.yaml" in str(caught.value)
    assert server.running


@needs_adb
def test_it_ends_when_the_process_that_started_it_is_killed(port, tmp_path):
    script = f"""
        import sys, threading
        from pathlib import Path
        from testbed.clock import SystemClock
        from testbed.drivers.adb_server import AdbServer
        home = Path({str(tmp_path)!r})
        server = AdbServer({port}, clock=SystemClock(), usb=False, home=home)
        starter = threading.Thread(target=server.start)  # gone long before the server
        starter.start()
        starter.join()
        print(server.running, flush=True)
        sys.stdin.read()
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout.readline() == "True\n"
        assert answers(port)
        child.send_signal(signal.SIGKILL)
        clock = SystemClock()
        assert wait_until(lambda: not answers(port), clock=clock, deadline_s=60)


def test_without_adb_it_says_how_to_get_it(server, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="sudo apt install adb"):
        server.start()


def test_a_server_that_is_not_there_is_a_timeout(server):
    with pytest.raises(DriverTimeoutError, match="no answer from the adb server"):
        server.ask("host:version")
