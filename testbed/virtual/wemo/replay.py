"""A stand-in for a plug: it answers HTTP and SOAP as a recorded dialogue says."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from testbed.model.dialogue import Answers, Dialogue, UnknownRequestError
from testbed.virtual.plain_http import Answer, Request, answer_bytes, read_request

_UNKNOWN = 404


@asynccontextmanager
async def replayed_plug(
    dialogue: Dialogue, sock: socket.socket, name: str
) -> AsyncIterator[list[str]]:
    """Answer on a bound socket; gives the requests that had no answer.

    name  of the dialogue, for what it says to a request that it does not know
    """
    answers = Answers(dialogue.exchanges, name)

    def answer(request: Request | None) -> Answer:
        if request is None:
            return Answer(status=400)
        try:
            exchange = answers.to(_asked(request))
        except UnknownRequestError as exc:
            return Answer(status=_UNKNOWN, body=str(exc))
        return Answer(status=exchange.status, body=exchange.answer)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            peer = str(writer.get_extra_info("peername")[0])
            writer.write(answer_bytes(answer(await read_request(reader, peer))))
            await writer.drain()
        except (OSError, TimeoutError):
            pass  # the client left
        finally:
            writer.close()

    server = await asyncio.start_server(serve, sock=sock)
    try:
        yield answers.unknown
    finally:
        server.close()


def _asked(request: Request) -> str:
    action = request.headers.get("soapaction", "")
    body = " ".join(request.body.split())
    return " ".join(w for w in (request.method, request.path, action, body) if w)
