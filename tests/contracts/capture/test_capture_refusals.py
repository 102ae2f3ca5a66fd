"""What a router refuses or cannot do is one sentence that says what to do."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from testbed.clock import SystemClock, wait_until
from testbed.drivers.router_link import SshLink
from testbed.drivers.router_ssh import SshRouter, open_router
from testbed.errors import DriverError, DriverRefusedError, DriverTimeoutError

CLOCK = SystemClock()


def refusal(call) -> str:
    with pytest.raises(DriverRefusedError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    assert not text.endswith(".")
    return text


def program(folder: Path, name: str, text: str) -> None:
    """Put a shell script of this name in front of the real program."""
    (folder / name).unlink(missing_ok=True)
    (folder / name).write_text(f"#!{folder}/sh\n{text}", encoding="utf-8")
    (folder / name).chmod(0o755)


@pytest.fixture
def bare_host(make_host, tmp_path, busybox_programs):
    """Give a router with busybox and dumpcap, whose programs a test may replace."""
    programs = busybox_programs(tmp_path / "bin", ("dumpcap",))
    return make_host(folder=tmp_path / "router", programs=str(programs))


@pytest.fixture
def cut_off(router_host):
    """Let nothing of the SSH link through, as a pulled cable does; undo at the end."""
    rules = (
        "add table inet cut;"
        "add chain inet cut c { type filter hook input priority 0; };"
        f"add rule inet cut c tcp dport {router_host.port} drop;"
        f"add rule inet cut c tcp sport {router_host.port} drop"
    )

    def cut() -> None:
        subprocess.run(["nft", rules], check=True)

    def mend() -> None:
        subprocess.run(["nft", "delete table inet cut"], check=True)

    cut.mend = mend
    yield cut
    subprocess.run(["nft", "flush ruleset"], check=True)


def test_an_unpinned_host_key_is_refused_with_the_way_to_read_it(router_host):
    text = refusal(lambda: open_router(router_host.at(host_key=None), CLOCK))
    assert f"ssh-keyscan -t ed25519 -p {router_host.port} 127.0.0.1" in text
    assert "router.host_key in lab.yaml" in text


def test_another_host_key_is_refused(router_host):
    other = (router_host.folder / "other_key.pub").read_text(encoding="utf-8")
    text = refusal(lambda: open_router(router_host.at(host_key=other), CLOCK))
    assert "not the pinned one" in text
    assert "ssh-keyscan" in text


def test_a_host_key_of_another_type_is_refused(router_host, tmp_path):
    command = ["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(tmp_path / "key")]
    subprocess.run(command, check=True)
    other = (tmp_path / "key.pub").read_text(encoding="utf-8")
    text = refusal(lambda: open_router(router_host.at(host_key=other), CLOCK))
    assert "not the pinned one" in text


def test_the_host_key_may_be_in_a_file_as_known_hosts_has_it(router_host, tmp_path):
    file = tmp_path / "known_hosts"
    file.write_text(f"[127.0.0.1]:22 {router_host.host_key}", encoding="utf-8")
    at = router_host.at(host_key=None, host_key_file=str(file))
    open_router(at, CLOCK).close()
    missing = router_host.at(host_key=None, host_key_file=str(tmp_path / "nothing"))
    assert "cannot read the host key file" in refusal(
        lambda: open_router(missing, CLOCK)
    )


def test_a_key_that_the_router_does_not_know_is_refused(router_host):
    at = router_host.at(key_file=str(router_host.folder / "other_key"))
    text = refusal(lambda: open_router(at, CLOCK))
    assert "authorized_keys" in text


def test_a_missing_private_key_is_refused(router_host, tmp_path, monkeypatch):
    gone = router_host.at(key_file=str(tmp_path / "gone"))
    text = refusal(lambda: open_router(gone, CLOCK))
    assert "cannot read the private key" in text
    assert "no such file; make one with `ssh-keygen" in text
    (tmp_path / "text").write_text("no key", encoding="utf-8")
    other = router_host.at(key_file=str(tmp_path / "text"))
    assert "it is no private key" in refusal(lambda: open_router(other, CLOCK))
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    unset = router_host.at(key_file=None, key_env="NO_SUCH_KEY")
    assert "NO_SUCH_KEY is not set" in refusal(lambda: open_router(unset, CLOCK))
    key = tmp_path / "locked"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(key)]
    subprocess.run(command, check=True)
    locked = router_host.at(key_file=str(key))
    assert "has a passphrase" in refusal(lambda: open_router(locked, CLOCK))


def test_the_private_key_may_be_named_by_a_variable(router_host, monkeypatch):
    monkeypatch.setenv("ROUTER_KEY", str(router_host.folder / "client_key"))
    open_router(router_host.at(key_file=None, key_env="ROUTER_KEY"), CLOCK).close()


def test_a_port_where_nobody_listens_is_refused(router_host):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    text = refusal(lambda: open_router(router_host.at(port=port), CLOCK))
    assert "is sshd running there?" in text


def test_a_router_that_does_not_answer_is_given_up_within_10_s(router_host, cut_off):
    cut_off()
    began_s = CLOCK.monotonic_s()
    with pytest.raises(DriverTimeoutError, match="is it on"):
        open_router(router_host.at(), CLOCK)
    assert CLOCK.monotonic_s() - began_s < 10.0


def test_a_dead_link_is_noticed_within_10_s_and_mended_afterwards(
    opened, sender, cut_off
):
    router = opened(tool="dumpcap")
    router.start_capture("cut", sender.poke)
    router.clock_offset()
    cut_off()
    began_s = CLOCK.monotonic_s()
    with pytest.raises(DriverTimeoutError):
        router.renew_lease()
    assert CLOCK.monotonic_s() - began_s < 10.0
    cut_off.mend()
    router.renew_lease()
    assert abs(router.clock_offset().offset_ns) < 10**9
    assert router.stop_capture().stopped_by == "INT"


def test_a_missing_tool_is_refused_with_the_command_that_installs_it(bare_host, opened):
    router = opened(bare_host, tool="tshark")
    text = refusal(lambda: router.start_capture("none", None))
    assert "apt install tshark" in text


def test_an_unknown_interface_is_refused_with_the_known_ones(opened):
    router = opened(tool="dumpcap", interface="br-lab")
    text = refusal(lambda: router.start_capture("none", None))
    assert "'br-lab'; there are: lo" in text


@pytest.mark.parametrize("tool", ["tshark", "dumpcap", "tcpdump"])
def test_a_wrong_filter_is_refused(opened, tool, router_host):
    router = opened(tool=tool, filter="prot 22")
    text = refusal(lambda: router.start_capture(f"filter-{tool}", None))
    assert "router.filter" in text
    assert router_host.processes() == []


def test_too_little_space_is_refused(opened):
    router = opened(tool="dumpcap", free_mb=10**9)
    text = refusal(lambda: router.start_capture("none", None))
    assert "MB free" in text
    assert "router.free_mb" in text


def test_a_folder_that_cannot_be_made_is_refused(opened):
    router = opened(tool="dumpcap", folder="/proc/captures")
    assert "cannot write" in refusal(lambda: router.start_capture("none", None))


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o1777, "link", "other"])
def test_a_folder_where_others_could_put_programs_is_refused(
    opened, router_host, tmp_path, mode
):
    folder = tmp_path / "captures"
    (tmp_path / "real").mkdir(mode=0o700)
    if mode == "link":
        folder.symlink_to(tmp_path / "real")
    else:
        folder.mkdir(mode=0o700)
        if mode == "other":
            if os.geteuid() != 0:
                pytest.skip("only root can give a folder away")
            os.chown(folder, 65010, 65010)
        else:
            folder.chmod(mode)
    router = opened(tool="dumpcap", folder=str(folder))
    text = refusal(lambda: router.start_capture("none", None))
    assert f"{folder} is not a folder of user" in text
    assert "router.folder in lab.yaml" in text
    assert list(folder.iterdir()) == []


def test_a_tool_without_privilege_is_refused_with_setcap(bare_host, opened):
    program(
        Path(bare_host.programs),
        "dumpcap",
        '[ "$1" = --version ] && echo "Dumpcap 4.0" && exit\n'
        'echo "You don\'t have permission to capture on that device." >&2\nexit 1\n',
    )
    router = opened(bare_host, tool="dumpcap")
    text = refusal(lambda: router.start_capture("none", None))
    assert f"setcap cap_net_raw,cap_net_admin=eip {bare_host.programs}/dumpcap" in text


def test_a_capture_that_sees_no_packet_does_not_count_as_started(
    opened, router_host, monkeypatch
):
    monkeypatch.setattr("testbed.drivers.router_ssh.PROOF_S", 2.0)
    router = opened(tool="dumpcap")
    with pytest.raises(DriverTimeoutError, match="saw no packet on lo"):
        router.start_capture("silent", lambda: None)
    assert router_host.processes() == []


def test_a_name_that_leads_elsewhere_is_refused(opened):
    router = opened(tool="dumpcap")
    for name in ("", "..", "../etc", "a b", "-x"):
        assert "letters" in refusal(lambda name=name: router.start_capture(name, None))


def test_nothing_can_be_asked_of_a_capture_that_was_not_started(opened):
    router = opened(tool="dumpcap")
    for call in (router.finished_files, router.renew_lease, router.stop_capture):
        assert "no capture was started" in refusal(call)


@pytest.mark.parametrize("tool", ["dumpcap", "tcpdump"])
def test_quotes_and_spaces_in_the_folder_are_data(opened, router_host, sender, tool):
    folder = router_host.folder / "it's 100%d; touch $HOME/owned `x`"
    router = opened(tool=tool, folder=str(folder))
    router.start_capture(f"quoted-{tool}", sender.poke)
    assert router.stop_capture().stopped_by == "INT"
    assert len(router.finished_files()) == 1
    assert not (router_host.folder / "owned").exists()


def test_the_free_space_floor_ends_a_capture(make_host, opened, sender, tmp_path):
    # not busybox: its shell takes its own df, whatever PATH says
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sh").symlink_to("/bin/sh")
    script = 'read -r kb <"$HOME/free"\necho title\necho "disk 1 1 $kb 1% /"\n'
    program(tmp_path / "bin", "df", script)
    host = make_host(folder=tmp_path, programs=f"{tmp_path}/bin:{os.environ['PATH']}")
    (tmp_path / "free").write_text("90000\n", encoding="utf-8")
    router = opened(host, tool="dumpcap", free_mb=50)
    router.start_capture("full", sender.poke)
    (tmp_path / "free").write_text("49000\n", encoding="utf-8")
    assert wait_until(lambda: not host.processes(), clock=CLOCK, deadline_s=60.0)
    assert router.stop_capture().stopped_by == "disk"
    assert len(router.finished_files()) == 1


def test_a_tool_that_does_not_listen_is_killed_and_it_is_said(bare_host, sender):
    program(
        Path(bare_host.programs),
        "dumpcap",
        '[ "$1" = --version ] && echo "Dumpcap 4.0" && exit\n'
        "trap '' INT TERM\necho File: x >&2\n: /live/\n"
        "while :; do sleep 1; done\n",
    )
    link = SshLink(bare_host.at(tool="dumpcap"), "router")
    router = SshRouter(
        link, bare_host.at(tool="dumpcap"), CLOCK, drain_s=0.0, patience_s=1
    )
    router.start_capture("deaf", None)
    assert router.stop_capture().stopped_by == "KILL"
    # who watched over it ends a moment after it
    assert wait_until(lambda: not bare_host.processes(), clock=CLOCK, deadline_s=60.0)
    router.close()


def test_the_systems_own_shell_will_do_as_well(make_host, opened, sender, tmp_path):
    host = make_host(folder=tmp_path, programs=os.environ["PATH"])
    router = opened(host, tool="tcpdump")
    router.start_capture("dash", sender.poke)
    sender.send(50)
    assert router.stop_capture().stopped_by == "INT"
    (file,) = router.finished_files()
    router.fetch(file, tmp_path / file.name)
    assert (tmp_path / file.name).read_bytes().count(b"<label-") == 50


@pytest.mark.parametrize("extra", [("python3",), ("date",)])
def test_the_offset_to_the_same_clock_is_zero_within_its_bound(
    make_host, opened, tmp_path, busybox_programs, extra
):
    programs = busybox_programs(tmp_path / "bin", extra)
    host = make_host(folder=tmp_path / "router", programs=str(programs))
    router = opened(host)
    samples = []

    def is_fine():
        before_ns = CLOCK.now_ns()
        sample = router.clock_offset()
        samples.append(sample)
        assert abs(sample.offset_ns) <= sample.error_ns
        assert before_ns <= sample.at_ns <= CLOCK.now_ns()
        return len(samples) >= 3 and sample.error_ns < 20_000_000

    # a busy machine widens the bound of some of them
    assert wait_until(is_fine, clock=CLOCK, deadline_s=60.0)


def test_the_offset_of_a_skewed_clock_is_found(bare_host, opened):
    program(
        Path(bare_host.programs),
        "date",
        'now=$(/bin/date +%s%N)\necho "$((now + 49000000000))"\n',
    )
    sample = opened(bare_host).clock_offset()
    assert abs(sample.offset_ns - 49 * 10**9) <= sample.error_ns


def test_a_router_without_a_fine_clock_is_refused(bare_host, opened):
    program(Path(bare_host.programs), "date", 'echo "$(/bin/date +%s)N"\n')
    text = refusal(opened(bare_host).clock_offset)
    assert "python3" in text
    assert "%N" in text


def test_every_fault_of_the_link_is_a_driver_error(router_host):
    for changes in ({"port": 1}, {"host": "no.such.host.invalid"}, {"user": "nobody"}):
        with pytest.raises(DriverError):
            open_router(router_host.at(**changes), CLOCK)
