"""The few system calls that Python has no name for: namespaces, mounts, offloads."""

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
NAMED = Path("/run/netns")  # where `ip netns` keeps its names

_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18
_PR_SET_PDEATHSIG = 1
_SIOCETHTOOL = 0x8946
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
# ethtool's legacy "set" commands: rx and tx checksums, tso, gso, gro.
_OFFLOADS = (0x15, 0x17, 0x1F, 0x24, 0x2C)

_libc = ctypes.CDLL(None, use_errno=True)


def _must(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def set_namespace(fd: int, kind: int) -> None:
    """Move this thread into the namespace of an open file."""
    _must(_libc.setns(fd, kind), "setns")


def unshare_mounts() -> None:
    """Give this process mounts of its own that nobody else sees."""
    _must(_libc.unshare(CLONE_NEWNS), "unshare")
    flags = ctypes.c_ulong(_MS_REC | _MS_PRIVATE)
    _must(_libc.mount(b"none", b"/", None, flags, None), "mount private /")


def bind(source: Path | str, target: Path | str) -> None:
    """Show `source` in the place of `target`."""
    flags = ctypes.c_ulong(_MS_BIND | _MS_REC)
    result = _libc.mount(os.fsencode(source), os.fsencode(target), None, flags, None)
    _must(result, f"bind {source} on {target}")


def mount_memory(
    target: Path | str, size_b: int | None = None, mode: int = 0o755
) -> None:
    """Mount an empty file system in memory on `target`."""
    flags = ctypes.c_ulong(0)
    options = f"mode={mode:04o}" + (f",size={size_b}" if size_b else "")
    result = _libc.mount(
        b"none", os.fsencode(target), b"tmpfs", flags, options.encode()
    )
    _must(result, f"tmpfs on {target}")


def show_own_interfaces() -> None:
    """Let /sys list the interfaces of this network, where the kernel permits it."""
    flags = ctypes.c_ulong(0)
    _libc.mount(b"none", b"/sys", b"sysfs", flags, None)


def die_with_parent(signal_number: int) -> None:
    """Get `signal_number` when the thread that started this process ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


@contextmanager
def inside(node: str) -> Iterator[None]:
    """Let this thread make sockets in the network of `node`; nothing may await."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(node)
        try:
            yield
        finally:
            set_namespace(home, CLONE_NEWNET)
    finally:
        os.close(home)


def enter(node: str) -> None:
    """Move this thread into the network of `node` for good."""
    there = os.open(NAMED / node, os.O_RDONLY | os.O_CLOEXEC)
    try:
        set_namespace(there, CLONE_NEWNET)
    finally:
        os.close(there)


def switch_offloads_off() -> None:
    """Make every interface of this network send frames as they go on a real wire.

    With offloads, captures hold 64 kB "packets" and wrong checksums.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for _, name in socket.if_nameindex():
            if name != "lo":
                _offloads_off(control, name)


def _offloads_off(control: socket.socket, name: str) -> None:
    for command in _OFFLOADS:
        value = ctypes.create_string_buffer(struct.pack("II", command, 0))
        request = struct.pack("16sP", name.encode(), ctypes.addressof(value))
        try:
            fcntl.ioctl(control, _SIOCETHTOOL, request.ljust(40, b"\0"))
        except OSError:
            # A bridge has no switch of its own for some; it follows its ports.
            continue


def set_link(name: str, *, up: bool) -> None:
    """Set an interface of this thread's network up or down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh", name.encode(), 0).ljust(40, b"\0")
        answer = fcntl.ioctl(control, _SIOCGIFFLAGS, request)
        flags = struct.unpack_from("h", answer, 16)[0]
        flags = flags | _IFF_UP if up else flags & ~_IFF_UP
        request = struct.pack("16sh", name.encode(), flags).ljust(40, b"\0")
        fcntl.ioctl(control, _SIOCSIFFLAGS, request)
