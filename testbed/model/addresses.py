"""Hosts, keys and folders of a lab file: whether they can be what they should be.

What holds a ${VARIABLE} is looked at when it has its value, by the driver.
"""

import base64
import binascii
import ipaddress
import re

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?")
_KEY = re.compile(r"(?:^|\s)((?:ssh|ecdsa|sk)-[\w@.-]+)\s+(\S+)")


def host_trouble(host: str) -> str:
    """Return why a text is neither a name nor an IP address, '' when it is one."""
    if "${" in host:
        return ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
        # A last part of digits alone is of no name, but of a mistyped address.
        is_name = all(_LABEL.fullmatch(part) for part in labels)
        if is_name and not labels[-1].isdigit() and len(host) <= 253:
            return ""
        return f"must be a host name or an IP address, got {host!r}"
    return ""


def host_key_trouble(text: str) -> str:
    """Return why a text holds no public key as known_hosts has it, '' when it does."""
    if "${" in text:
        return ""
    if any(_is_key(kind, blob) for kind, blob in _KEY.findall(text)):
        return ""
    return "must be a public key such as 'ssh-ed25519 AAAAC3Nza...', whole"


def folder_trouble(folder: str) -> str:
    """Return why a folder of the router is not the same one for each session."""
    if folder.startswith(("/", "${")):
        return ""
    return f"must be an absolute path such as '/var/tmp/testbed', got {folder!r}"


def _is_key(kind: str, blob: str) -> bool:
    """Say whether a blob is a key: fields with their lengths, the first its kind."""
    try:
        left = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        return False
    fields = []
    while len(left) >= 4:
        end = 4 + int.from_bytes(left[:4])
        if end > len(left):
            return False
        fields.append(left[4:end])
        left = left[end:]
    return not left and len(fields) > 1 and fields[0] == kind.encode()
