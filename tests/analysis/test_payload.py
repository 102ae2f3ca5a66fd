"""Payloads: the cipher, what is text, what is masked, and which activity it names."""

import csv
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from analysis.dataset import COLUMNS
from analysis.evaluate.campaign import plan_of, studies, studies_between
from analysis.evaluate.samples import cut_of
from analysis.packets import find_raw
from analysis.payload import (
    UNKNOWN,
    Captures,
    PayloadMatcher,
    decode_kasa,
    distances,
    heard,
    masked,
    messages_of,
    plain_text,
    texts_of,
    vocabulary,
)
from analysis.payload.places import places
from analysis.pcap.reader import read_frames
from analysis.pcap.writer import open_capture
from testbed.cli import build

PLUG, PHONE = "50:c7:bf:00:00:19", "02:00:00:00:00:20"
START_NS = 1_780_000_000 * 10**9
ON = '{"system":{"set_relay_state":{"state":1}}}'
OFF = '{"system":{"set_relay_state":{"state":0}}}'
DONE = '{"system":{"set_relay_state":{"err_code":0}}}'


def encode_kasa(text, *, framed=True):
    key, out = 171, bytearray()
    for byte in text.encode():
        key ^= byte
        out.append(key)
    return (struct.pack(">I", len(out)) if framed else b"") + bytes(out)


def checksum(data):
    words = sum(struct.unpack(f">{len(data) // 2}H", data))
    while words >> 16:
        words = (words & 0xFFFF) + (words >> 16)
    return ~words & 0xFFFF


def frame(payload, *, outbound, port=9999, seq=1, udp=False, tagged=False, phone=40000):
    """Make a frame between phone and plug; what the plug sends is outbound."""
    ends = [(PHONE, "10.77.0.20", phone), (PLUG, "10.77.0.19", port)]
    src, dst = reversed(ends) if outbound else ends
    ports = struct.pack(">HH", src[2], dst[2])
    if udp:
        above = ports + struct.pack(">HH", 8 + len(payload), 0) + payload
    else:
        above = ports + struct.pack(">IIBBHHH", seq, 1, 5 << 4, 24, 64, 0, 0) + payload
    ip = struct.pack(
        ">BBHHHBBH", 0x45, 0, 20 + len(above), 1, 0, 64, 17 if udp else 6, 0
    )
    ip += b"".join(bytes(map(int, end[1].split("."))) for end in (src, dst))
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    macs = bytes.fromhex((dst[0] + src[0]).replace(":", ""))
    tag = struct.pack(">HH", 0x8100, 7) if tagged else b""
    whole = macs + tag + struct.pack(">H", 0x0800) + ip + above
    return whole.ljust(60, b"A")  # Ethernet pads short frames


def row(number, at_s, activity, session):
    t_ns = START_NS + round(at_s * 1e9)
    return dict.fromkeys(COLUMNS, "") | {
        "campaign": "c",
        "session": session,
        "trial": f"{number:04d}",
        "attempt": 1,
        "device": "plug",
        "activity": activity,
        "channel": "phone",
        "t_ns": t_ns,
        "delta_ns": 8 * 10**9,
        "outcome": "confirmed",
        "simulated": "true",
    }


def campaign(folder, packets, rows, *, plaintext=True, form="fast"):
    """Write a campaign folder of (seconds, frame) and (seconds, activity, session)."""
    (folder / "raw").mkdir(parents=True)
    with open_capture(folder / "raw" / "lan-00001.pcapng") as capture:
        for at_s, data in packets:
            capture.packet(START_NS + round(at_s * 1e9), data)
    device = {"device": "plug", "mac": PLUG, "plaintext": plaintext}
    about = {"campaign": "c", "simulated": True, "form": form, "devices": [device]}
    (folder / "campaign.yaml").write_text(yaml.safe_dump(about))
    with (folder / "activities.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, tuple(COLUMNS))
        writer.writeheader()
        writer.writerows(row(i, *each) for i, each in enumerate(rows))
    return folder


def payload_results(folder, devices, splits=("s1",), seed=0):
    found = list(studies(folder, devices, plan_of(["payload"], splits, seed=seed)))
    refusals = tuple(refusal for study in found for refusal in study.refusals)
    return tuple(result for study in found for result in study.results), refusals


def said_in(folder):
    made = cut_of(folder, "plug")
    captures = Captures(find_raw(folder))
    return messages_of(captures, made.cleaned.table, made.windows)


def trials(n_sessions=3, repeats=6):
    """Make packets and rows of a plug that is switched on and off."""
    packets, rows = [], []
    rng = np.random.default_rng(4)
    for i in range(n_sessions * repeats):
        at_s, state = 30.0 * i, i % 2
        sysinfo = {"relay_state": state, "on_time": int(rng.integers(10, 10**6))}
        answer = json.dumps({"system": {"get_sysinfo": sysinfo}})
        turns = [(OFF, ON)[state], DONE, '{"system":{"get_sysinfo":{}}}', answer]
        packets += [
            (
                at_s + 0.1 * (k + 1) + 0.05 * rng.random(),
                frame(
                    encode_kasa(text),
                    outbound=bool(k % 2),
                    seq=k * 5000,
                    phone=4000 + i,
                ),
            )
            for k, text in enumerate(turns)
        ]
        rows.append((at_s, ("turn_off", "turn_on")[state], f"s{i // repeats}"))
    return packets, rows


@given(text=st.text(st.characters(max_codepoint=255), max_size=300))
@settings(derandomize=True, deadline=None)
def test_the_cipher_is_undone_byte_by_byte(text):
    assert decode_kasa(encode_kasa(text, framed=False), framed=False) == text.encode()
    if text:
        both = encode_kasa(text) + encode_kasa(text)
        assert decode_kasa(both, framed=True) == 2 * text.encode()


def test_the_cipher_is_that_of_real_plugs():
    get_sysinfo = bytes.fromhex(
        "d0f281f88bff9af7d5ef94b6d1b4c09fec95e68fe187e8caf08bf68bf6"
    )
    assert decode_kasa(get_sysinfo, framed=False) == b'{"system":{"get_sysinfo":{}}}'


@given(texts=st.lists(st.text("01{}state", max_size=9), min_size=1, max_size=5))
@settings(derandomize=True, deadline=None)
def test_distances_are_those_of_a_slow_twin(texts):
    def edits(a, b):
        line = list(range(len(b) + 1))
        for i, x in enumerate(a, 1):
            before, line[0] = line[0], i
            for j, y in enumerate(b, 1):
                step = min(line[j] + 1, line[j - 1] + 1, before + (x != y))
                before, line[j] = line[j], step
        return line[-1]

    got = distances(texts)
    for i, a in enumerate(texts):
        for j, b in enumerate(texts):
            assert got[i, j] == pytest.approx(edits(a, b) / max(len(a), len(b), 1))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ('"on_time":56401,"rssi":-55', '"on_time":#,"rssi":#'),
        ('"state":1', '"state":1'),
        ("50:C7:BF:8D:31:19 10.77.0.18:49153", "# #:#"),
        ("uuid:7200445068572d1c9b04", "uuid:#"),
        ("2fac1234-b1f8-4cae-89bd-123456789abc", "#"),
        (
            "<BinaryState>1|1798813025|8</BinaryState>",
            "<BinaryState>1|#|8</BinaryState>",
        ),
        ("facade decade", "facade decade"),
    ],
)
def test_what_differs_from_time_to_time_is_masked(text, want):
    assert masked(text) == want


def test_text_between_binary_fields_is_found_without_their_stray_characters():
    framed = (
        b'\x00\x00U\xaa\x00\x00\x00f{"dps":{"1":true},"t":17940}cA\xfb\x00\x00\xaaU'
    )
    assert plain_text(framed) == '{"dps":{"1":true},"t":17940}'


def test_random_bytes_are_no_text():
    rng = np.random.default_rng(0)
    found = [plain_text(rng.bytes(n)) for n in range(40, 1440)]
    assert not any(found)


def test_messages_are_decoded_masked_and_told_apart_by_direction(tmp_path):
    packets, rows = trials(n_sessions=1, repeats=2)
    said = said_in(campaign(tmp_path / "c", packets, rows))
    want = '>{"system": {"get_sysinfo": {"relay_state": 0, "on_time": #}}}'
    assert said[0] == (f"<{OFF}", f">{DONE}", '<{"system":{"get_sysinfo":{}}}', want)
    assert said[1][0] == f"<{ON}"


@pytest.mark.parametrize("at", [1, 4, 5, 40])
def test_a_message_in_two_segments_is_one(tmp_path, at):
    data = encode_kasa(ON)
    packets = [
        (1.0, frame(data[:at], outbound=False)),
        (1.1, frame(b"", outbound=True)),
        (1.2, frame(data[at:], outbound=False, seq=1 + at)),
    ]
    said = said_in(campaign(tmp_path / "c", packets, [(0, "turn_on", "s")]))
    assert said == ((f"<{ON}",),)


def test_retransmissions_padding_and_tags_add_nothing(tmp_path):
    packets = [
        (1.0, frame(encode_kasa(ON), outbound=False, tagged=True)),
        (1.1, frame(encode_kasa(ON), outbound=False, tagged=True)),
        (1.2, frame(b"\x17\x03", outbound=True, port=443)),  # padded with letters
    ]
    said = said_in(campaign(tmp_path / "c", packets, [(0, "turn_on", "s")]))
    assert said == ((f"<{ON}",),)


GET, HOST = b"GET /the/first HTTP/1.1\r\n", b"Host: of another request\r\n"
BODY = bytes(range(128, 256)) * 4


@pytest.mark.parametrize(
    ("parts", "want"),
    [
        ([(1, GET), (100, HOST)], 2),  # a segment is missing
        ([(100, HOST), (100 - len(GET), GET)], 1),  # the second overtook the first
        ([(2**32 - 9, GET), (len(GET) - 9, HOST)], 1),  # numbers begin anew
        ([(1, GET), (1 + len(GET), BODY)], 1),  # what is no text is left out
        ([(1, GET), (5, GET[4:] + HOST)], 1),  # sent again, and more
    ],
)
def test_windows_hold_the_messages_that_are_heard(tmp_path, parts, want):
    packets = [
        (1 + 0.1 * k, frame(data, outbound=False, seq=seq, port=80))
        for k, (seq, data) in enumerate(parts)
    ]
    folder = campaign(tmp_path / "c", packets, [(0, "turn_on", "s")])
    made = cut_of(folder, "plug", rules=())
    captures = Captures(find_raw(folder))
    (said,) = texts_of(captures, made.cleaned.table, made.windows)
    assert [text[1:] for text in said] == [m.text for m in heard(find_raw(folder))]
    assert len(said) == want


def test_datagrams_are_a_message_each_and_have_no_length_in_front(tmp_path):
    packets = [
        (1.0, frame(encode_kasa(ON, framed=False), outbound=False, udp=True)),
        (1.1, frame(encode_kasa(OFF, framed=False), outbound=False, udp=True)),
    ]
    said = said_in(campaign(tmp_path / "c", packets, [(0, "turn_on", "s")]))
    assert said == ((f"<{ON}", f"<{OFF}"),)


def matcher(windows, activity, session, rows):
    known = vocabulary(windows)
    learnt = PayloadMatcher(known)
    return learnt.fit(np.array(rows), np.array(activity)[rows], np.array(session)[rows])


def test_the_nearest_message_decides_and_one_digit_is_enough():
    windows = [(ON,), (OFF,), (ON,), (OFF,), (ON + " ",), (OFF + " ",)]
    activity = ["on", "off"] * 3
    learnt = matcher(windows, activity, list("aabbcc"), [0, 1, 2, 3])
    assert list(learnt.predict(np.array([4, 5]))) == ["on", "off"]


def test_what_is_in_every_window_does_not_hide_what_is_not():
    noise = "NOTIFY * HTTP/# " * 40
    windows = [
        (ON, DONE),
        (OFF, DONE, noise),
        (ON, DONE),
        (OFF, DONE),
        (ON, DONE, noise),
    ]
    learnt = matcher(
        windows, ["on", "off", "on", "off", "on"], list("abbba"), [0, 1, 2, 3]
    )
    assert list(learnt.predict(np.array([4]))) == ["on"]


def test_what_a_window_lacks_counts_too():
    ask, state = "get_sysinfo", "relay_state"
    windows = [(ask, state), (ON, ask, state), (ask, state)] * 2
    learnt = matcher(windows, ["read", "on", "read"] * 2, list("aaabbb"), [0, 1, 3, 4])
    assert list(learnt.predict(np.array([2]))) == ["read"]


def test_a_window_of_strange_or_no_messages_is_unknown():
    windows = [(ON,), (OFF,), ("GET /something/else HTTP/#",), ()]
    learnt = matcher(windows, ["on", "off", "on", "off"], list("abab"), [0, 1])
    assert list(learnt.predict(np.array([2, 3]))) == [UNKNOWN, UNKNOWN]


def test_silence_is_idle_where_idle_was_learnt():
    windows = [(ON,), (), (ON,), ()]
    learnt = matcher(windows, ["on", "idle"] * 2, list("aabb"), [0, 1])
    assert list(learnt.predict(np.array([2, 3]))) == ["on", "idle"]


def test_the_radius_is_the_99th_percentile_of_distances_to_other_sessions():
    words = ["abcdefghij", "abcdefghiX", "abcdefgXYZ"]
    learnt = matcher([(w,) for w in words], ["on"] * 3, list("abc"), [0, 1, 2])
    assert learnt.radius == pytest.approx(np.percentile([0.1, 0.1, 0.3], 99))
    alone = matcher([(w,) for w in words], ["on"] * 3, list("aaa"), [0, 1, 2])
    assert alone.radius == 0.05


def test_only_the_two_captures_that_were_asked_for_last_are_open(tmp_path, monkeypatch):
    paths = []
    for name in "abc":
        paths.append(tmp_path / f"{name}.pcapng")
        with open_capture(paths[-1]) as capture:
            for n in range(2):
                text = f"{name}{n}".encode()
                capture.packet(START_NS, frame(text, outbound=True))
    read = []

    def spied(path):
        read.append(path.stem)
        return read_frames(path)

    monkeypatch.setattr("analysis.payload.messages.read_frames", spied)
    captures = Captures(paths)
    assert read == []
    asked = "aabbabcaccbb"
    for turn, name in enumerate(asked):
        said = captures.payload(f"{name}.pcapng", turn % 2 + 1, 2)
        assert said == f"{name}{turn % 2}".encode()
    assert "".join(read) == "abcab"


def test_messages_of_test_windows_are_not_learnt():
    windows = [(ON,), (OFF,), ("never seen in training",)]
    learnt = matcher(windows, ["on", "off", "on"], list("aab"), [0, 1])
    for _ in range(2):
        assert list(learnt.predict(np.array([2, 0]))) == [UNKNOWN, "on"]


def test_a_plug_that_speaks_plainly_is_understood_in_new_sessions(tmp_path):
    folder = campaign(tmp_path / "c", *trials())
    results, refusals = payload_results(folder, ["plug"], ["s1", "s2"], 0)
    assert [(r.classifier, r.split.name, r.accuracy) for r in results] == [
        ("payload", "s1", 1.0),
        ("payload", "s2", 1.0),
    ]
    assert refusals == ()
    assert results[0].null_accuracy < 0.8
    assert results[0].answered == 1


def test_the_matcher_learns_from_training_sessions_only(tmp_path, monkeypatch):
    seen = []

    class Spy(PayloadMatcher):
        def fit(self, rows, activity, session):
            seen.append(set(session))
            return super().fit(rows, activity, session)

    monkeypatch.setattr("analysis.evaluate.patterns.payloads.PayloadMatcher", Spy)
    payload_results(campaign(tmp_path / "c", *trials()), ["plug"], ["s2"])
    assert seen == [{"s0", "s1"}] * 2  # for the accuracy and for its null


def test_what_one_campaign_said_is_understood_in_another(tmp_path):
    packets, rows = trials()
    later = [(at_s + 0.01 * (n % 7), data) for n, (at_s, data) in enumerate(packets)]
    one = campaign(tmp_path / "a", packets, rows)
    other = campaign(tmp_path / "b", later, rows[:12])
    plan = plan_of(["payload"])
    (study,) = studies_between(one, other, ["plug"], plan)
    (result,) = study.results
    assert (result.classifier, result.split.name) == ("payload", "transfer")
    assert (result.n_trials, result.accuracy) == (12, 1.0)
    shutil.rmtree(other / "raw")
    (study,) = studies_between(one, other, ["plug"], plan)
    assert study.results == ()
    assert [each.split for each in study.refusals] == ["transfer"]
    assert "holds no capture" in study.refusals[0].reason


def test_without_raw_captures_payloads_are_refused_in_words(tmp_path):
    folder = campaign(tmp_path / "c", *trials())
    cut_of(folder, "plug")
    shutil.rmtree(folder / "raw")
    results, (refusal,) = payload_results(folder, ["plug"], ["s1"])
    assert results == ()
    assert refusal.reason.startswith("payload: ")
    assert "holds no capture" in refusal.reason


def test_a_device_that_says_too_many_things_is_refused_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.payload.matcher._MOST", 3)
    folder = campaign(tmp_path / "c", *trials())
    results, (refusal,) = payload_results(folder, ["plug"], ["s1"])
    assert results == ()
    assert "different messages in plain text are too many" in refusal.reason


def test_devices_whose_profile_says_no_are_passed_over_imported_ones_are_tried(
    tmp_path,
):
    other = campaign(tmp_path / "c", *trials(), plaintext=False)
    assert payload_results(other, ["plug"]) == ((), ())
    imported = campaign(tmp_path / "d", *trials(), plaintext=False, form="imported")
    assert payload_results(imported, ["plug"])[0][0].accuracy == 1


def test_a_device_without_any_text_is_passed_over(tmp_path):
    _packets, rows = trials()
    rng = np.random.default_rng(1)
    dark = [
        (at_s + 1 + rng.random(), frame(rng.bytes(200), outbound=True, port=443))
        for at_s, _activity, _session in rows
    ]
    assert payload_results(campaign(tmp_path / "c", dark, rows), ["plug"]) == ((), ())


def test_an_impossible_split_is_refused_in_words(tmp_path):
    folder = campaign(tmp_path / "c", *trials(n_sessions=1))
    results, (refusal,) = payload_results(folder, ["plug"], ["s1"], 0)
    assert results == ()
    assert refusal.reason == "one session only: no session is new"


def test_encrypted_windows_are_answered_with_unknown_and_count_as_wrong(tmp_path):
    packets, rows = trials()
    rng = np.random.default_rng(1)
    dark = [
        (at_s, frame(b"\x17\x03\x03" + rng.bytes(200), outbound=True, port=443))
        if at_s < 200
        else (at_s, data)
        for at_s, data in packets
    ]
    (result,), _ = payload_results(campaign(tmp_path / "c", dark, rows), ["plug"])
    assert result.activities == ("turn_off", "turn_on", UNKNOWN)
    assert result.matrix[:, 2].sum() == 7
    assert result.answered == pytest.approx(11 / 18)
    assert result.accuracy <= result.answered


# From the published captures of a Kasa plug, see docs/importing.md
REAL = """\
activity,start_epoch,session
turn_on,1687621918,no_firewall
turn_off,1687621978,no_firewall
turn_on,1691328478,base_firewall
turn_off,1691328538,base_firewall
"""


def test_a_real_plug_is_understood_in_another_capture(tmp_path):
    public = os.environ.get("TESTBED_PUBLIC_DATA")
    if not public:
        pytest.skip("TESTBED_PUBLIC_DATA is not set: no public captures here")
    plug = Path(public) / "openwrt-scenarios" / "tplink-plug"
    (tmp_path / "plug.csv").write_text(REAL)
    captures = [
        str(plug / f / "wlan2.4.pcap") for f in ("no-firewall", "base-firewall")
    ]
    command = [sys.executable, "-m", "testbed", "import", "pcap", *captures]
    command += ["--activities", "plug.csv", "--device", "plug=50:c7:bf:ed:0a:54"]
    command += ["--constant", "device=plug", "--delta", "8 s", "--out", "."]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (result,), _ = payload_results(tmp_path / "plug", ["plug"])
    assert (result.n_trials, result.accuracy) == (4, 1.0)


def test_messages_that_always_come_together_are_one_sign():
    burst = ("notify a #", "notify bb #", "notify ccc #", "notify dddd #")
    windows = [(ON,), (ON,), (ON,), (OFF,), (OFF, *burst), (ON, *burst)]
    activity = ["on", "on", "on", "off", "off", "on"]
    learnt = matcher(windows, activity, list("aabbab"), [0, 1, 2, 3, 4])
    assert list(learnt.predict(np.array([5]))) == ["on"]


def test_an_activity_that_was_seen_once_is_found_among_many_messages():
    windows = [(ON,), *((f"{OFF}{'x' * n}",) for n in range(20)), (ON + " ",)]
    activity = ["on", *["off"] * 20, "on"]
    learnt = matcher(windows, activity, ["a"] * 22, list(range(21)))
    assert list(learnt.predict(np.array([21]))) == ["on"]


def test_commands_whose_answer_was_lost_are_two_messages(tmp_path):
    packets = [
        (1.0, frame(encode_kasa(ON), outbound=False)),
        (1.1, frame(encode_kasa(OFF), outbound=False, seq=1 + len(encode_kasa(ON)))),
    ]
    said = said_in(campaign(tmp_path / "c", packets, [(0, "turn_on", "s")]))
    assert said == ((f"<{ON}", f"<{OFF}"),)


def test_what_was_never_said_is_scored_by_a_command_of_its_own(tmp_path):
    folder = campaign(tmp_path / "c", *trials())
    app = build(["payloads"])
    done = CliRunner().invoke(app, ["payloads", str(folder), "--json"])
    (row,) = json.loads(done.stdout)
    assert (row["device"], row["windows"]) == ("plug", 18)
    # the switch is told in the same words each time, only the state has a time in it
    raw, _messages = row["scores"]
    assert (raw["new"], raw["matcher"]["accuracy"]) == ("raw_sets", 1.0)
    assert row["refused"] == {
        "masked_sets": "one distinct set of messages only: turn_off, turn_on"
    }
    shown = CliRunner().invoke(app, ["payloads", str(folder)]).output
    assert shown.startswith("plug: 18 windows say something in plain text\n")
    assert "  messages that nobody sent in training, by session: " in shown


def test_a_device_without_plain_text_is_said_to_have_none(tmp_path):
    secret = bytes(range(128, 250))
    packets = [(at_s, frame(secret, outbound=True)) for at_s in (1.0, 9.0)]
    acts = [(0, "turn_on", "s"), (8, "turn_off", "t")]
    folder = campaign(tmp_path / "c", packets, acts)
    app = build(["payloads"])
    shown = CliRunner().invoke(app, ["payloads", str(folder)]).output
    assert shown == "plug: says nothing in plain text in any labelled window\n"
    (row,) = json.loads(
        CliRunner().invoke(app, ["payloads", str(folder), "--json"]).stdout
    )
    assert (row["windows"], row["scores"]) == (0, [])
    assert set(row["refused"]) == {"raw_sets", "raw_messages", "masked_sets"}


def test_a_command_that_was_never_learnt_is_unknown_though_one_character_away():
    windows = [(f'{ON[:-1]},"id":{i % 5}}}', DONE) for i in range(12)]
    windows += [(f'{OFF[:-1]},"id":1}}', DONE), (f'{ON[:-1]},"id":7}}', DONE)]
    activity, session = ["on"] * 12 + ["off", "on"], list("ab" * 7)
    learnt = matcher(windows, activity, session, list(range(12)))
    # another state is something new, another number where numbers vary is not
    assert list(learnt.predict(np.array([12, 13]))) == [UNKNOWN, "on"]
    few = matcher(windows, activity, session, list(range(9)))
    assert list(few.predict(np.array([12]))) == ["on"]  # who knows what varies


def test_what_varies_within_most_activities_varies_within_all():
    texts = {"on": ON, "off": OFF, "up": ON.replace("state", "level")}
    windows, activity = [], []
    for name, text in texts.items():
        for i in range(12):
            windows.append((f'{text[:-1]},"id":{i % 2 if name != "up" else 1}}}',))
            activity.append(name)
    windows.append((f'{texts["up"][:-1]},"id":8}}',))
    learnt = matcher(windows, [*activity, "up"], list("a" * 37), list(range(36)))
    assert list(learnt.predict(np.array([36]))) == ["up"]


def test_what_varies_within_another_activity_may_be_what_tells_this_one():
    told = '{"context":{"source":"app"},"relay":{"state":1}}'
    asked = '{"context":{"source":"plug"},"answer":{"state":%d}}'
    windows = [(told,)] * 12 + [(asked % 0,), (asked % 1,)] * 6
    windows.append((told.replace("1", "0"),))
    activity = ["on"] * 12 + ["read"] * 12 + ["off"]
    learnt = matcher(windows, activity, list("a" * 25), list(range(24)))
    assert list(learnt.predict(np.array([24, 12]))) == [UNKNOWN, "read"]


@pytest.mark.parametrize(
    ("one", "other", "want"),
    [
        ('"state":1', '"state":0', {"state"}),
        ('"id":4,"on":true', '"id":#,"on":true', {"id"}),
        ('"id":4,"on":true', '"id":4,"on":false', {"on"}),
        ('"id":4,"on":1', '"id":5,"on":0', {"id", "on"}),
        ("GET /a", "PUT /a", {""}),
        ("same", "same", set()),
    ],
)
def test_a_place_is_called_by_the_word_before_it(one, other, want):
    assert places(one, other) == want


def test_where_words_hardly_tell_the_commoner_activity_is_likelier():
    windows = [("hello there",)] * 9 + [("good bye then",)] * 2 + [("hello there",)]
    activity = ["rare", *["common"] * 10, "common"]
    learnt = matcher(windows, activity, ["a"] * 12, list(range(11)))
    assert list(learnt.predict(np.array([11]))) == ["common"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece", ["[", "<", '{"a":', "[1,{", "]}<{", "[" * 2000 + "\x7f"]
)
def test_brackets_without_end_do_not_hold_up_what_is_text(piece):
    text = piece * (400_000 // len(piece))
    got = plain_text(b"\0" + text.encode())
    assert len(got) >= 0.5 * len(text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", ["a-", "1.", "1-", "a", "1", "1aaaaa-aaaaa"])
def test_masks_look_at_the_beginning_of_what_is_long(piece):
    assert len(masked(piece * (400_000 // len(piece)))) <= 2000


def test_of_text_between_binary_fields_brackets_reach_from_the_first_to_the_last():
    assert plain_text(b"\0xx>ab<tag>text</tag>yy") == "<tag>text</tag>"
    assert plain_text(b"\0xx}]>ab<[{yy") == "xx}]>ab<[{yy"
