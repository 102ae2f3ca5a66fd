"""Plaintext protocols on the LAN, byte by byte: WeMo, iView, Koogeek, TP-Link.

Each conversation is a tuple of (request, answer) pairs on one connection. What changes
from call to call on a real device changes here too: sequence numbers, times, readings.
"""

import json
import struct
import zlib
from collections.abc import Mapping

from numpy.random import Generator

from testbed.virtual.house.act import SOME_DAY_NS
from testbed.virtual.house.talk import Talk
from testbed.virtual.traffic import Exchange, Transport

WEMO_PORT, TUYA_PORT, HTTP_PORT, KASA_PORT = 49153, 6668, 80, 9999
Turn = tuple[bytes, bytes]

_SOAP_HEAD = '<?xml version="1.0" encoding="utf-8"?>\r\n'
_ENVELOPE = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
    's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">'
)
_BASIC = "urn:Belkin:service:basicevent:1"


def wemo_call(host: str, call: str, fields: Mapping[str, str], answer: str) -> Turn:
    """Return one SOAP call of a WeMo's basicevent service, as an app makes it.

    call    'SetBinaryState' or 'GetBinaryState'
    answer  value of BinaryState in the answer
    """
    inner = "".join(f"<{k}>{v}</{k}>" for k, v in fields.items())
    body = (
        f"{_SOAP_HEAD}{_ENVELOPE}\r\n<s:Body>\r\n"
        f'<u:{call} xmlns:u="{_BASIC}">\r\n{inner}\r\n</u:{call}>\r\n'
        "</s:Body>\r\n</s:Envelope>\r\n"
    )
    request = (
        "POST /upnp/control/basicevent1 HTTP/1.1\r\n"
        'Content-Type: text/xml; charset="utf-8"\r\n'
        f'SOAPACTION: "{_BASIC}#{call}"\r\n'
        f"Content-Length: {len(body)}\r\n"
        f"HOST: {host}:{WEMO_PORT}\r\nUser-Agent: CyberGarage-HTTP/1.0\r\n\r\n{body}"
    )
    text = (
        f'{_ENVELOPE}<s:Body>\n<u:{call}Response xmlns:u="{_BASIC}">\r\n'
        f"<BinaryState>{answer}</BinaryState>\r\n"
        f"</u:{call}Response>\r\n</s:Body> </s:Envelope>"
    )
    reply = (
        f"HTTP/1.1 200 OK\r\nCONTENT-LENGTH: {len(text)}\r\n"
        'CONTENT-TYPE: text/xml; charset="utf-8"\r\n'
        "EXT:\r\nSERVER: Unspecified, UPnP/1.0, Unspecified\r\n"
        f"X-User-Agent: redsonic\r\n\r\n{text}"
    )
    return request.encode(), reply.encode()


def wemo_insight_state(on: bool, rng: Generator, instant_ns: int) -> str:
    """Return an Insight's BinaryState answer: state, times and energy counters."""
    now, today = _told_s(instant_ns, rng), rng.integers(1, 60_000)
    power_mw = int(rng.normal(23_000, 900)) if on else 0
    spells = f"{rng.integers(1, 5000)}|{today}|{today * 7}|1209600"
    return f"{int(on)}|{now}|{spells}|8|{power_mw}"


def _told_s(instant_ns: int, rng: Generator) -> int:
    """Return the second that a clock tells which is not quite right."""
    return instant_ns // 10**9 + int(rng.integers(-30, 31))


def wemo(
    action: str, on: bool, host: str, rng: Generator, instant_ns: int = SOME_DAY_NS
) -> tuple[Turn, ...]:
    """Return what an app says to a WeMo for turn_on, turn_off or read_state."""
    if action == "read_state":
        return (wemo_call(host, "GetBinaryState", {}, str(int(on))),)
    state = str(int(on))
    fields = {"BinaryState": state, "Duration": "", "EndAction": "", "UDS": ""}
    answer = wemo_insight_state(on, rng, instant_ns)
    return (wemo_call(host, "SetBinaryState", fields, answer),)


def iview(
    action: str,
    data: Mapping[str, object],
    rng: Generator,
    instant_ns: int = SOME_DAY_NS,
) -> tuple[Turn, ...]:
    """Return what an app says to the iView bulb: framed JSON over TCP 6668."""
    sequence = int(rng.integers(1, 4000))
    device = "7200445068572d1c9b04"
    stamp = _told_s(instant_ns, rng)
    # A counter of the app's: its length differs more than 'true' from 'false'.
    count = int(10 ** rng.uniform(0.0, 7.0))
    request = {"devId": device, "uid": device, "t": stamp, "dps": dict(data)}
    request["cid"] = count
    reply = {"devId": device, "dps": dict(data), "t": stamp, "s": count}
    command = 10 if action == "read_state" else 7
    return (
        (
            _tuya(sequence, command, request),
            _tuya(sequence, command, {}) + _tuya(0, 8, reply),
        ),
    )


def _tuya(sequence: int, command: int, content: Mapping[str, object]) -> bytes:
    text = json.dumps(content, separators=(",", ":")).encode() if content else b""
    head = struct.pack(">IIII", 0x55AA, sequence, command, len(text) + 8)
    return head + text + struct.pack(">II", zlib.crc32(head + text), 0xAA55)


def koogeek(action: str, on: bool, host: str, rng: Generator) -> tuple[Turn, ...]:
    """Return what an app says to the Koogeek plug: HTTP with JSON, as HAP has it."""
    power_w = round(float(rng.normal(31.0, 0.8)), 1) if on else 0
    agent = f"koogeek/{int(10 ** rng.uniform(0.0, 6.0))}"
    if action == "read_state":
        content = {
            "characteristics": [
                {"aid": 1, "iid": 8, "value": on},
                {"aid": 1, "iid": 21, "value": power_w},
            ]
        }
        text = json.dumps(content, separators=(",", ":"))
        request = f"GET /characteristics?id=1.8,1.21 HTTP/1.1\r\nHost: {host}\r\n"
        request += f"User-Agent: {agent}\r\n\r\n"
        reply = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/hap+json\r\n"
            f"Content-Length: {len(text)}\r\n\r\n{text}"
        )
        return ((request.encode(), reply.encode()),)
    item = {"aid": 1, "iid": 8, "value": on}
    text = json.dumps({"characteristics": [item]}, separators=(",", ":"))
    request = (
        f"PUT /characteristics HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\n"
        "Content-Type: application/hap+json\r\n"
        f"Content-Length: {len(text)}\r\n\r\n{text}"
    )
    return ((request.encode(), b"HTTP/1.1 204 No Content\r\n\r\n"),)


def kasa_encrypt(text: bytes) -> bytes:
    """Return a TP-Link message: 4-byte length, then XOR with an autokey from 171."""
    key, out = 171, bytearray(struct.pack(">I", len(text)))
    for byte in text:
        key ^= byte
        out.append(key)
    return bytes(out)


def kasa(action: str, on: bool, rng: Generator) -> tuple[Turn, ...]:
    """Return what an app says to the HS110: JSON under the autokey, TCP 9999."""
    if action == "read_state":
        return (_kasa_turn({"system": {"get_sysinfo": {}}}, _sysinfo(on, rng)),)
    request = {"system": {"set_relay_state": {"state": int(on)}}}
    reply = {"system": {"set_relay_state": {"err_code": 0}}}
    # The app asks for the whole state again after each command.
    again = _kasa_turn({"system": {"get_sysinfo": {}}}, _sysinfo(on, rng))
    return _kasa_turn(request, reply), again


def _kasa_turn(request: Mapping[str, object], reply: Mapping[str, object]) -> Turn:
    texts = (json.dumps(m, separators=(",", ":")).encode() for m in (request, reply))
    asked, answered = (kasa_encrypt(t) for t in texts)
    return asked, answered


def _sysinfo(on: bool, rng: Generator) -> Mapping[str, object]:
    info = {
        "sw_ver": "1.2.6 Build 200727 Rel.121701",
        "hw_ver": "1.0",
        "type": "IOT.SMARTPLUGSWITCH",
        "model": "HS110(EU)",
        "mac": "50:C7:BF:8D:31:19",
        "dev_name": "Smart Wi-Fi Plug With Energy Monitoring",
        "alias": "Lamp",
        "relay_state": int(on),
        "on_time": int(rng.integers(1, 90_000)) if on else 0,
        "feature": "TIM:ENE",
        "updating": 0,
        "rssi": -int(rng.integers(38, 72)),
        "led_off": 0,
        "err_code": 0,
    }
    return {"system": {"get_sysinfo": info}}


def conversation(
    client: str,
    device: str,
    port: int,
    turns: tuple[Turn, ...],
    rng: Generator,
    *,
    at_s: float,
    answer_s: float,
) -> Exchange:
    """Return turns on one connection, each answer about `answer_s` later."""
    talk = Talk(client, device, at_s=at_s, port=port, transport=Transport.TCP)
    for request, answer in turns:
        talk.up(len(request), payload=request)
        wait_s = answer_s * float(rng.lognormal(0.0, 0.35))
        talk.down(len(answer), after_s=max(0.004, wait_s), payload=answer)
        talk.wait(float(rng.uniform(0.02, 0.09)))
    return talk.done()
