"""`testbed inspect`: what is printed, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analysis.dissection import InspectError
from analysis.errors import RequestError
from testbed.cli import build
from testbed.errors import ConfigError

EXAMPLE = str(Path(__file__).parents[2] / "captures" / "example")


def run(*words):
    return CliRunner().invoke(build(["inspect"]), ["inspect", *words])


def test_a_window_is_shown_packet_by_packet_and_summed_up():
    done = run(EXAMPLE, "1", "--filter", "json", "--limit", "1")
    first, packet, *rest, total = done.output.splitlines()
    assert ", trial 0001: tplink_hs110 turn_on phone lan: confirmed; window" in first
    assert " < " in packet
    assert "10.77.0.20:54560 -> 10.77.0.19:9999  ip:tcp:tplink-smarthome:json" in packet
    assert any("set_relay_state" in line for line in rest)
    assert rest[-1].endswith("more; see --full")
    assert total.startswith("1 of 32 packets shown")
    assert sum(" B  " in line for line in done.output.splitlines()) == 1


def test_numbers_of_packets_in_fields_are_said_to_be_of_the_cut():
    said = "are counted from the first that was cut out"
    whole = run(EXAMPLE, "1").output
    assert "Reassembled TCP Segments (1588 bytes): #23(" in whole
    assert said in whole.splitlines()[-2]
    assert said not in run(EXAMPLE, "1", "--limit", "3").output


def test_machines_get_every_field():
    done = run(EXAMPLE, "1", "--limit", "1", "--json")
    seen = json.loads(done.stdout)
    (packet,) = seen["packets"]
    assert packet["frame"] > 0
    layers = {layer["name"]: layer["lines"] for layer in packet["dissected"]["layers"]}
    assert layers["arp"]
    assert seen["about"]["trial"] == "0001"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((EXAMPLE,), "TRIAL: is missing"),
        ((f"{EXAMPLE}/raw/lan-00001.pcapng", "1"), "is no campaign folder"),
        (("x.pcap", "--device", "lamp"), "no profile in"),
    ],
)
def test_what_cannot_be_meant_is_refused(words, said):
    done = run(*words)
    assert isinstance(done.exception, ConfigError)
    assert said in str(done.exception)


def test_a_limit_out_of_range_is_refused_before_anything_is_read():
    done = run("no-such.pcap", "--limit", "0")
    assert isinstance(done.exception, InspectError)


def test_names_of_a_strangers_campaign_cannot_act_on_a_terminal(tmp_path):
    folder = tmp_path / "c"
    shutil.copytree(EXAMPLE, folder)
    table = folder / "activities.csv"
    table.write_text(table.read_text().replace(",turn_on,", ",turn\x1b[2Jon,"))
    shown = run(str(folder), "1", "--limit", "1").output
    assert "turn\\x1b[2Jon" in shown
    assert "\x1b" not in shown


def test_a_trial_may_be_as_long_as_it_likes_and_is_not_there():
    done = run(EXAMPLE, "9" * 5000)
    assert isinstance(done.exception, RequestError)
    assert "has no trial" in str(done.exception)
