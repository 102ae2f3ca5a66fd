"""The SSH link to a router: pinned, key only, dead within seconds, mended by itself.

Two things that paramiko leaves to its caller: a connection whose cable was pulled stays
"active" for ever, so the socket is ours and has TCP_USER_TIMEOUT; and errors come from
four families, which are translated here, once, into `DriverError`.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import paramiko

from testbed.drivers import router_hostkey, tap
from testbed.errors import (
    DriverError,
    DriverGarbledError,
    DriverRefusedError,
    DriverTimeoutError,
)
from testbed.model.lab import RouterAt

# a keepalive each second, unanswered for 4 s, then one try to connect of 3 s: whoever
# asks over a dead link knows it in less than 10 s
CONNECT_S = 3.0
KEEPALIVE_S = 1
UNANSWERED_MS = 4000
ANSWER_S = 20.0
_PROHIBITED = 1  # of RFC 4254, 5.1

_LOST = (EOFError, TimeoutError, ConnectionError, paramiko.SSHException)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command on the router said."""

    code: int
    out: str
    err: str


class SshLink:
    """One SSH connection that is made when it is needed and made anew when it is lost.

    Safe for several threads. Each request is tried at most twice, the second time over
    a new connection; so requests must not mind to be done twice unless `once` is given.
    """

    def __init__(self, at: RouterAt, instrument: str) -> None:
        self._at = at
        self._instrument = instrument
        self._client: paramiko.SSHClient | None = None
        self._sftp: paramiko.SFTPClient | None = None
        self._connecting = threading.Lock()
        self._files = threading.RLock()  # one SFTP channel takes one request at a time

    def connect(self) -> None:
        """Connect now; raises DriverError with the remedy when that cannot be."""
        self._transport()

    def run(
        self,
        command: str,
        request: str,
        *,
        stdin: bytes = b"",
        answer_s: float = ANSWER_S,
        once: bool = False,
    ) -> Answer:
        """Run a shell command to its end; every value in it is quoted by the caller."""

        def act() -> Answer:
            with self._session(answer_s) as channel:
                channel.exec_command(command)
                if stdin:
                    channel.sendall(stdin)
                channel.shutdown_write()
                out = channel.makefile("rb").read()
                err = channel.makefile_stderr("rb").read()
                code = channel.recv_exit_status()
            if code < 0:
                raise EOFError("the link was lost before the command ended")
            if tap.is_heard():
                tap.tell(command, out.decode("utf-8", "replace"), code, 0.0)
            return Answer(
                code=code,
                out=out.decode("utf-8", "replace"),
                err=err.decode("utf-8", "replace"),
            )

        return self._attempt(request, act, once=once)

    def files(
        self, request: str, act: Callable[[paramiko.SFTPClient], Result]
    ) -> Result:
        """Do something short with files over the shared SFTP channel."""

        def locked() -> Result:
            with self._files:
                if self._sftp is None or not self._active():
                    self._sftp = self._open_sftp()
                return act(self._sftp)

        return self._attempt(request, locked)

    def transfer(
        self, request: str, act: Callable[[paramiko.SFTPClient], Result]
    ) -> Result:
        """Do something long with files over an SFTP channel of its own."""

        def own() -> Result:
            sftp = self._open_sftp()
            try:
                return act(sftp)
            finally:
                sftp.close()

        return self._attempt(request, own)

    def helper(self, command: str, request: str) -> paramiko.Channel:
        """Start a command that answers line by line for as long as it is kept."""

        def act() -> paramiko.Channel:
            channel = self._transport().open_session(timeout=ANSWER_S)
            channel.settimeout(ANSWER_S)
            channel.exec_command(command)
            return channel

        return self._attempt(request, act)

    def forwards(
        self, host: str, port: int, request: str, within_s: float
    ) -> bool | None:
        """Say whether the router opens a TCP connection; None where it may not."""

        def act() -> bool | None:
            transport = self._transport()
            to, since = (host, port), ("127.0.0.1", 0)
            try:
                channel = transport.open_channel(
                    "direct-tcpip", to, since, timeout=within_s
                )
            except paramiko.ChannelException as exc:
                return None if exc.code == _PROHIBITED else False
            except paramiko.SSHException:
                if not transport.is_active():
                    raise
                return False  # no answer within the time
            channel.close()
            return True

        return self._attempt(request, act)

    def close(self) -> None:
        """Leave; what runs on the router goes on running."""
        with self._connecting:
            self._drop()

    def _attempt(
        self, request: str, act: Callable[[], Result], *, once: bool = False
    ) -> Result:
        for last in (once, True):
            used = self._client
            try:
                return act()
            except (OSError, EOFError, paramiko.SSHException) as exc:
                if self._active() and not isinstance(exc, _LOST):
                    raise DriverRefusedError(
                        self._instrument, request, f"the router says {exc}"
                    ) from exc
                self._leave(used)
                if last:
                    raise DriverTimeoutError(
                        self._instrument,
                        request,
                        f"the link to {self._at.host} was lost ({_words(exc)}); is the "
                        "router on and its cable in?",
                    ) from exc
        raise AssertionError("unreachable")

    def _leave(self, used: paramiko.SSHClient | None) -> None:
        """Drop the connection that failed, but not one that others made since."""
        with self._connecting:
            if self._client is used or not self._active():
                self._drop()

    def _active(self) -> bool:
        client = self._client
        transport = client.get_transport() if client else None
        return transport is not None and transport.is_active()

    def _transport(self) -> paramiko.Transport:
        with self._connecting:
            if not self._active():
                self._drop()
                self._client = self._connected()
            transport = self._client.get_transport() if self._client else None
        if transport is None:
            raise EOFError("the link was closed")
        return transport

    @contextmanager
    def _session(self, answer_s: float) -> Iterator[paramiko.Channel]:
        channel = self._transport().open_session(timeout=answer_s)
        channel.settimeout(answer_s)
        try:
            yield channel
        finally:
            channel.close()

    def _open_sftp(self) -> paramiko.SFTPClient:
        channel = self._transport().open_session(timeout=ANSWER_S)
        channel.settimeout(ANSWER_S)
        try:
            channel.invoke_subsystem("sftp")
            return paramiko.SFTPClient(channel)
        except (paramiko.SSHException, EOFError) as exc:
            if not self._active():
                raise
            raise self._refused(
                "it offers no sftp; on OpenWrt: `opkg install openssh-sftp-server`"
            ) from exc

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None
        self._sftp = None

    def _connected(self) -> paramiko.SSHClient:
        at = self._at
        key = self._private_key()
        client = paramiko.SSHClient()
        pinned = router_hostkey.pinned_keys(at, self._instrument)
        client.get_host_keys().update(pinned)
        try:
            sock = _open_socket(at.host, at.port)
            client.connect(
                at.host,
                at.port,
                username=at.user,
                pkey=key,
                sock=sock,
                allow_agent=False,
                look_for_keys=False,
                timeout=CONNECT_S,
                banner_timeout=5.0,
                auth_timeout=8.0,
                channel_timeout=8.0,
            )
        except (OSError, EOFError, paramiko.SSHException) as exc:
            client.close()
            raise self._translated(exc) from exc
        transport = client.get_transport()
        if transport is not None:
            transport.set_keepalive(KEEPALIVE_S)
        return client

    def _private_key(self) -> paramiko.PKey:
        at = self._at
        path = os.environ.get(at.key_env, "") if at.key_env else at.key_file
        if not path:
            named = f"the variable {at.key_env} is not set" if at.key_env else "no key"
            raise self._refused(
                f"{named}; name the private key by router.key_file or router.key_env "
                "in lab.yaml"
            )
        try:
            return paramiko.PKey.from_path(Path(path).expanduser())
        except (paramiko.PasswordRequiredException, TypeError) as exc:
            raise self._refused(
                f"the key {path} has a passphrase; make one without for the testbed: "
                "`ssh-keygen -t ed25519 -N '' -f KEY`"
            ) from exc
        except (
            OSError,
            ValueError,
            paramiko.SSHException,
            paramiko.pkey.UnknownKeyType,
        ) as exc:
            reason = f"cannot read the private key {path}{_key_remedy(exc, path)}"
            raise self._refused(reason) from exc

    def _refused(self, reason: str) -> DriverRefusedError:
        return DriverRefusedError(self._instrument, "connect", reason)

    def _translated(self, exc: Exception) -> DriverError:
        at, place = self._at, f"{self._at.host}:{self._at.port}"
        if isinstance(exc, paramiko.BadHostKeyException) or "known_hosts" in str(exc):
            return self._refused(
                "its host key is not the pinned one, so either the router was set up "
                f"anew or this is another machine; {router_hostkey.remedy(at)}"
            )
        if isinstance(exc, paramiko.AuthenticationException):
            return self._refused(
                f"it does not take our key for user {at.user!r}; append the public key "
                "to authorized_keys on the router"
            )
        if isinstance(exc, ConnectionRefusedError):
            return self._refused(f"nothing listens on {place}; is sshd running there?")
        if isinstance(exc, socket.gaierror):
            return self._refused(
                f"the name {at.host!r} has no address; see router.host"
            )
        if isinstance(exc, paramiko.SSHException | EOFError):
            return DriverGarbledError(
                self._instrument, "connect", f"{place} does not speak SSH ({exc})"
            )
        return DriverTimeoutError(
            self._instrument,
            "connect",
            f"no answer from {place} ({_words(exc)}); is it on, and is this machine on "
            "its network?",
        )


def _key_remedy(exc: Exception, path: str) -> str:
    """Return what to do about a private key that cannot be read."""
    make = f"`ssh-keygen -t ed25519 -N '' -f {path}`"
    if isinstance(exc, FileNotFoundError):
        return f": there is no such file; make one with {make}"
    if isinstance(exc, PermissionError):
        return f": not permitted; make it yours and readable: `chmod 600 {path}`"
    if isinstance(exc, OSError):
        return f": {exc.strerror}; name the file of the key by router.key_file"
    return f": it is no private key; name another, or make one with {make}"


def _open_socket(host: str, port: int) -> socket.socket:
    sock = socket.create_connection((host, port), timeout=CONNECT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_MS)
    return sock


def _words(exc: BaseException) -> str:
    return str(exc) or type(exc).__name__
