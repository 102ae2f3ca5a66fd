"""The phone's shell, and the framing of the adb protocol."""

import asyncio

import pytest

from testbed.virtual.phone.shell import ERR, OUT, Result, Shell, parse
from testbed.virtual.phone.wire import Message, pack, read_message


def make_shell():
    files = {"/old": b"old"}

    async def echo(words):
        return Result(out=(" ".join(words) + "\n").encode())

    async def fail(words):
        return Result(err=b"no\n", status=3)

    async def cat(words):
        return Result(out=files[words[0]])

    return Shell({"echo": echo, "fail": fail, "cat": cat}, files)


@pytest.mark.parametrize(
    ("line", "printed", "status"),
    [
        ("echo a; echo b", b"a\nb\n", 0),
        ("echo 'a  ; b' && echo c", b"a  ; b\nc\n", 0),
        ("fail && echo never", b"no\n", 3),
        ("fail || echo instead", b"no\ninstead\n", 0),
        ("echo ok || echo never", b"ok\n", 0),
        ("fail; echo status=$?", b"no\nstatus=3\n", 0),
        ("echo new >/f && cat /f", b"new\n", 0),
        ("echo new >/dev/null; cat /old", b"old", 0),
        ("fail 2>/dev/null || echo quiet", b"quiet\n", 0),
        ("/system/bin/echo a", b"a\n", 0),
        ("nosuch", b"/system/bin/sh: nosuch: inaccessible or not found\n", 127),
        ("echo a | cat", b"sh: syntax error: unexpected '|'\n", 2),
        ("echo 'a", b"sh: No closing quotation\n", 2),
        ("", b"", 0),
    ],
)
def test_a_line_prints_and_ends_with(line, printed, status):
    ran = asyncio.run(make_shell().run(line))
    assert b"".join(data for _, data in ran.pieces) == printed
    assert ran.status == status


def test_what_is_printed_keeps_its_order_and_its_stream():
    ran = asyncio.run(make_shell().run("echo a; fail; echo b"))
    assert ran.pieces == ((OUT, b"a\n"), (ERR, b"no\n"), (OUT, b"b\n"))


def test_the_dump_of_androidviewclient_is_understood():
    line = "cp /dev/null /f && uiautomator dump --compressed /f >/dev/null && cat /f"
    assert [p.words[0] for p in parse(line)] == ["cp", "uiautomator", "cat"]
    assert [p.out_to for p in parse(line)] == [None, "/dev/null", None]


def read_back(data):
    async def read():
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await read_message(reader)

    return asyncio.run(read())


@pytest.mark.parametrize("checksum", [False, True])
def test_a_message_reads_back_as_it_was_packed(checksum):
    message = Message(command="WRTE", arg0=7, arg1=9, payload=b"\xff" * 1000)
    assert read_back(pack(message, checksum=checksum)) == message


def test_the_bytes_of_a_message_are_those_of_adb():
    packed = pack(Message(command="OKAY", arg0=1, arg1=2))
    assert packed.hex() == "4f4b41590100000002000000" + "00" * 8 + "b0b4bea6"


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: phone\r\n", b"\0" * 24])
def test_what_is_not_adb_is_refused(data):
    with pytest.raises(ValueError, match="not an adb message"):
        read_back(data)
