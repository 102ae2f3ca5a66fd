"""The pinned key of a router: which one it is, and what to say when it is another."""

import base64
import binascii
import re
from pathlib import Path

import paramiko

from testbed.errors import DriverRefusedError
from testbed.model.lab import RouterAt

_KEY = re.compile(r"\b((?:ssh|ecdsa)-[\w@.-]+)\s+([A-Za-z0-9+/]+={0,2})")


def known_name(host: str, port: int) -> str:
    """Return the name under which paramiko and OpenSSH keep the key of a host."""
    return host if port == 22 else f"[{host}]:{port}"


def remedy(at: RouterAt) -> str:
    """Return how to read the router's key, to be compared and then pinned."""
    return (
        f"read it with `ssh-keyscan -t ed25519 -p {at.port} {at.host}`, compare it "
        "with the one on the router, and pin it as router.host_key in lab.yaml"
    )


def pinned_keys(at: RouterAt, instrument: str) -> paramiko.HostKeys:
    """Return the keys that lab.yaml pins: a public key, or lines of known_hosts.

    Raises DriverRefusedError when no key is pinned or none can be read.
    """
    text = at.host_key or ""
    if not text and at.host_key_file:
        try:
            text = Path(at.host_key_file).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise DriverRefusedError(
                instrument,
                "connect",
                f"cannot read the host key file {at.host_key_file!r}; {remedy(at)}",
            ) from exc
    keys = paramiko.HostKeys()
    for kind, blob in _KEY.findall(text):
        if (key := _key(kind, blob)) is not None:
            keys.add(known_name(at.host, at.port), key.get_name(), key)
    if not keys:
        raise DriverRefusedError(
            instrument, "connect", f"its host key is not pinned; {remedy(at)}"
        )
    return keys


def _key(kind: str, blob: str) -> paramiko.PKey | None:
    try:
        return paramiko.PKey.from_type_string(kind, base64.b64decode(blob))
    except (
        paramiko.SSHException,
        paramiko.pkey.UnknownKeyType,
        binascii.Error,
        ValueError,
    ):
        return None
