"""The virtual plug as its clients see it, beyond what the driver asks."""

import asyncio
import http.client
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.clock import SystemClock
from testbed.virtual.plain_http import read_request
from testbed.virtual.rehearsal import LoopThread, Rehearsal
from testbed.virtual.wemo import start_ssdp, start_wemo
from testbed.virtual.wemo.ssdp import search_answer
from tests.ports import own_address

HOST = own_address(0)
UDN = "uuid:Insight-1_0-SIM00000016"
BASIC = "urn:Belkin:service:basicevent:1"


class Lab:
    def __init__(self, loop, **options):
        self.loop = loop
        self.stage = Rehearsal()
        self.sock = socket.create_server((HOST, 0))
        self.port = self.sock.getsockname()[1]
        self.wemo = loop.run(
            start_wemo(
                self.stage,
                self.sock,
                name="plug_under_test",
                udn=UDN,
                mac="02:00:00:00:00:16",
                firmware="WeMo_WW_2.00",
                clock=SystemClock(),
                seed=1,
                **options,
            )
        )

    def ask(self, method, path, body="", **headers):
        connection = http.client.HTTPConnection(HOST, self.port, timeout=60)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body.encode(), names)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text, answer.headers

    def soap(self, action, body="", service="basicevent"):
        urn = f"urn:Belkin:service:{service}:1"
        return self.ask(
            "POST", f"/upnp/control/{service}1", body, SOAPACTION=f'"{urn}#{action}"'
        )[:2]

    def switch(self, on):
        return self.soap("SetBinaryState", f"<BinaryState>{int(on)}</BinaryState>")[1]

    def state(self):
        return self.soap("GetBinaryState")[1]


@pytest.fixture
def loop():
    with LoopThread() as loop:
        yield loop


@pytest.fixture
def start(loop):
    labs = []

    def start(**options):
        labs.append(Lab(loop, **options))
        return labs[-1]

    yield start
    for lab in labs:
        loop.run(lab.wemo.close())


def on(xml):
    return "<BinaryState>1</BinaryState>" in xml


def test_a_command_to_a_plug_under_test_is_an_activity_over_the_api(start):
    lab = start(is_device="wemo_insight")
    assert on(lab.switch(True))
    lab.switch(False)
    assert [(b.device, b.activity, b.channel) for b in lab.stage.begun] == [
        ("wemo_insight", "turn_on", "api"),
        ("wemo_insight", "turn_off", "api"),
    ]


def test_the_same_state_again_is_an_error_and_no_activity(start):
    lab = start(is_device="wemo_insight")
    lab.switch(True)
    assert "<BinaryState>Error</BinaryState>" in lab.switch(True)
    assert len(lab.stage.begun) == 1


def test_what_the_phone_commands_is_played_by_the_house(start):
    lab = start(is_device="wemo_insight", overhears=lambda peer: peer == "127.0.0.1")
    mine = start(is_device="wemo_insight", overhears=lambda peer: peer == "10.77.0.20")
    for one in (lab, mine):
        assert on(one.switch(True))
        assert on(one.state())
    assert lab.stage.begun == []
    assert len(mine.stage.begun) == 1


def test_what_the_app_did_shows_on_the_lan(start):
    lab = start(is_device="wemo_insight")
    assert not on(lab.state())
    lab.stage.begin(
        "wemo_insight",
        "turn_on",
        channel="phone",
        network="lan",
        parameters={},
        instant_ns=0,
    )
    assert on(lab.state())


def test_a_plug_starts_off_when_its_device_has_no_power(loop):
    stage = Rehearsal({"samsung_tv": {"power": "off"}})
    wemo = loop.run(
        start_wemo(
            stage,
            sock := socket.create_server((HOST, 0)),
            name="plug_tv",
            udn=UDN,
            mac="02:00:00:00:00:32",
            firmware="x",
            clock=SystemClock(),
            seed=1,
            feeds="samsung_tv",
        )
    )
    lab = Lab.__new__(Lab)
    lab.port = sock.getsockname()[1]
    assert not on(lab.state())
    loop.run(wemo.close())


@pytest.mark.parametrize("fault", ["lying_plug", "stuck_plug"])
@pytest.mark.parametrize("target", ["plug_under_test", "wemo_insight"])
def test_a_faulty_plug_under_test_does_nothing(start, fault, target):
    lab = start(is_device="wemo_insight")
    lab.stage.faults[fault, target] = ""
    assert on(lab.switch(True))
    assert on(lab.state()) is (fault == "lying_plug")
    assert lab.stage.begun == []
    assert lab.soap("GetInsightParams", service="insight")[1].split("|")[7] == "0"


def test_the_description_says_who_it_is(start):
    lab = start(is_device="wemo_insight")
    status, xml, headers = lab.ask("GET", "/setup.xml")
    assert status == 200
    assert f"<UDN>{UDN}</UDN>" in xml
    assert "<macAddress>020000000016</macAddress>" in xml
    assert "<serialNumber>SIM00000016</serialNumber>" in xml
    assert headers["X-User-Agent"] == "redsonic"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("GET", "/otherservice.xml", {}, 404),
        ("DELETE", "/setup.xml", {}, 400),
        ("POST", "/upnp/control/basicevent1", {}, 404),
        ("POST", "/upnp/control/other1", {"SOAPACTION": f'"{BASIC}#X"'}, 404),
        ("POST", "/upnp/control/basicevent1", {"SOAPACTION": f'"{BASIC}#X"'}, 500),
        ("POST", "/upnp/control/insight1", {"SOAPACTION": f'"{BASIC}#X"'}, 500),
        ("UNSUBSCRIBE", "/upnp/event/basicevent1", {"SID": "uuid:1"}, 412),
        ("SUBSCRIBE", "/upnp/event/basicevent1", {"SID": "uuid:1"}, 412),
        ("SUBSCRIBE", "/upnp/event/basicevent1", {"CALLBACK": "<x>"}, 412),
    ],
)
def test_what_it_does_not_know_it_says_so(start, method, path, headers, status):
    assert start().ask(method, path, **headers)[0] == status


@pytest.mark.parametrize("body", ["", "<BinaryState>2</BinaryState>"])
def test_a_command_without_a_state_is_refused(start, body):
    lab = start(feeds="samsung_tv")
    assert lab.soap("SetBinaryState", body)[0] == 500
    assert lab.stage.begun == []


def test_a_subscriber_hears_the_state_at_once_and_each_change(start):
    lab = start(feeds="samsung_tv")
    with socket.create_server((HOST, 0)) as callback:
        callback.settimeout(60)
        port = callback.getsockname()[1]
        connection = http.client.HTTPConnection(
            HOST, lab.port, timeout=60, source_address=(HOST, 0)
        )
        headers = {"CALLBACK": f"<http://{HOST}:{port}/sub>", "NT": "upnp:event"}
        connection.request("SUBSCRIBE", "/upnp/event/basicevent1", headers=headers)
        sid = connection.getresponse().headers["SID"]
        connection.close()
        first = take(callback)
        lab.switch(False)
        second = take(callback)
    assert f"SID: {sid}\r\nSEQ: 0" in first
    assert on(first)
    assert "SEQ: 1" in second
    assert not on(second)
    assert lab.ask("UNSUBSCRIBE", "/upnp/event/basicevent1", SID=sid)[0] == 200


def take(callback):
    connection, _ = callback.accept()
    with connection:
        connection.settimeout(60)
        text = ""
        while "</e:propertyset>" not in text:
            text += connection.recv(4096).decode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    return text


def test_nobody_else_than_the_subscriber_is_called_back(start):
    lab = start()
    headers = {"CALLBACK": "<http://192.0.2.1:80/>", "NT": "upnp:event"}
    assert lab.ask("SUBSCRIBE", "/upnp/event/basicevent1", **headers)[0] == 412


def test_two_plugs_of_one_seed_draw_different_power(loop):
    readings = []
    for name in ("plug_tv", "plug_camera"):
        sock = socket.create_server((HOST, 0))
        wemo = loop.run(
            start_wemo(
                Rehearsal(),
                sock,
                name=name,
                udn=UDN,
                mac="02:00:00:00:00:32",
                firmware="x",
                clock=SystemClock(),
                seed=1,
                feeds="samsung_tv",
            )
        )
        lab = Lab.__new__(Lab)
        lab.port = sock.getsockname()[1]
        text = lab.soap("GetInsightParams", service="insight")[1]
        readings.append(int(text.split("|")[7]))
        loop.run(wemo.close())
    assert readings[0] != readings[1]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_none(data):
    async def read():
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await read_request(reader, "peer")

    request = asyncio.run(read())
    assert request is None or request.peer == "peer"


def test_a_search_is_answered_with_the_place_of_the_description(loop):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    location = f"http://{HOST}:49153/setup.xml"
    responder = loop.run(start_ssdp(sock, location=location, udn=UDN))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(60)
        address = sock.getsockname()
        asker.sendto(b"NOTIFY * HTTP/1.1\r\nST: urn:Belkin:x\r\n\r\n", address)
        asker.sendto(b"M-SEARCH * HTTP/1.1\r\nST: urn:other:x\r\n\r\n", address)
        asker.sendto(b"M-SEARCH * HTTP/1.1\r\nST: urn:Belkin:x\r\n\r\n", address)
        assert asker.recv(2000) == search_answer(location, UDN)
    loop.run(responder.close())
