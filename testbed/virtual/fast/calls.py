"""The controller's calls to a plug, as pywemo makes them and the virtual WeMo answers.

One call is one connection; head and body of the request are two writes.
"""

from numpy.random import Generator

from testbed.virtual.house.hosts import CONTROLLER, address
from testbed.virtual.house.payloads import WEMO_PORT
from testbed.virtual.house.talk import Talk
from testbed.virtual.plain_http import Answer, answer_bytes
from testbed.virtual.traffic import Exchange, Transport
from testbed.virtual.wemo.description import HEADERS, SERVICES, answer_xml

_AGENT = "python-urllib3/2.8.0"
_BODY_S = 0.00006  # between the two writes
_ANSWER_S = (0.004, 0.008)  # from the first SYN


def plug_call(
    node: str, action: str, value: str, rng: Generator, *, given: str = ""
) -> Exchange:
    """Return one SOAP call of the controller to the plug at `node`.

    value  what the plug answers
    given  XML of the call's arguments
    """
    service = next(s for s, (_, actions) in SERVICES.items() if action in actions)
    urn, actions = SERVICES[service]
    body = _request_xml(urn, action, given).encode()
    head = (
        f"POST /upnp/control/{service}1 HTTP/1.1\r\n"
        f"Host: {address(node)}:{WEMO_PORT}\r\n"
        f"Accept-Encoding: identity\r\nContent-Length: {len(body)}\r\n"
        f"User-Agent: {_AGENT}\r\nContent-Type: text/xml\r\n"
        f'SOAPACTION: "{urn}#{action}"\r\n\r\n'
    ).encode()
    xml = answer_xml(urn, action, actions[action][1][0], value)
    told = answer_bytes(Answer(body=xml, headers=HEADERS))
    talk = Talk(CONTROLLER, node, port=WEMO_PORT, transport=Transport.TCP)
    talk.up(len(head), payload=head).up(len(body), payload=body, after_s=_BODY_S)
    answer_s = float(rng.uniform(*_ANSWER_S))
    return talk.down(len(told), payload=told, after_s=answer_s).done()


def _request_xml(urn: str, action: str, given: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
        's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">\n'
        f'<s:Body>\n<u:{action} xmlns:u="{urn}">\n{given}\n</u:{action}>\n'
        "</s:Body>\n</s:Envelope>"
    )
