"""As much HTTP/1.1 as small servers of the lab speak: one request per connection."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

REQUEST_S = 5.0
MAX_BODY_B = 65536
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    412: "Precondition Failed",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. Names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str
    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer."""

    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


async def read_request(reader: asyncio.StreamReader, peer: str) -> Request | None:
    """Return the request of a connection, or None when it is not HTTP.

    Raises TimeoutError when it does not arrive in time.
    """
    async with asyncio.timeout(REQUEST_S):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            method, path, _ = first.split(" ", 2)
            headers = dict(_header(line) for line in lines if line)
            length = int(headers.get("content-length", "0"))
            if not 0 <= length <= MAX_BODY_B:
                return None
            body = await reader.readexactly(length)
        except (ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return None
    return Request(
        method=method,
        path=path,
        headers=headers,
        body=body.decode("utf-8", errors="replace"),
        peer=peer,
    )


def answer_bytes(answer: Answer) -> bytes:
    """Return an answer as it goes over the wire; the connection is closed after."""
    body = answer.body.encode()
    reason = _REASONS.get(answer.status, "Internal Server Error")
    head = [f"HTTP/1.1 {answer.status} {reason}"]
    head += [f"{name}: {value}" for name, value in answer.headers.items()]
    head += [
        f"CONTENT-LENGTH: {len(body)}",
        "CONNECTION: close",
    ]
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1") + body


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise ValueError(f"not a header: {line!r}")
    return name.strip().lower(), value.strip()
