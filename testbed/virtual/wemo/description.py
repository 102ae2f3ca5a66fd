"""What a WeMo Insight says about itself: its description and its services, as XML."""

from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

BASICEVENT = "urn:Belkin:service:basicevent:1"
INSIGHT = "urn:Belkin:service:insight:1"

HEADERS = {
    "CONTENT-TYPE": 'text/xml; charset="utf-8"',
    "SERVER": "Unspecified, UPnP/1.0, Unspecified",
    "X-User-Agent": "redsonic",
}

# service -> action -> (arguments in, arguments out)
Actions = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
SERVICES: Mapping[str, tuple[str, Actions]] = {
    "basicevent": (
        BASICEVENT,
        {
            "SetBinaryState": (("BinaryState",), ("BinaryState",)),
            "GetBinaryState": ((), ("BinaryState",)),
            "GetFriendlyName": ((), ("FriendlyName",)),
            "GetSignalStrength": ((), ("SignalStrength",)),
        },
    ),
    "insight": (INSIGHT, {"GetInsightParams": ((), ("InsightParams",))}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a plug says it is.

    udn  'uuid:Insight-1_0-SERIAL', as in the description
    mac  '02:00:00:00:00:31'
    """

    name: str
    udn: str
    mac: str
    firmware: str

    @property
    def serial(self) -> str:
        """Return the serial number, the end of the UDN."""
        return self.udn.rpartition("-")[2]


def setup_xml(identity: Identity, binary_state: str) -> str:
    """Return the device description, `/setup.xml`."""
    services = "".join(
        "<service>"
        f"<serviceType>{urn}</serviceType>"
        f"<serviceId>urn:Belkin:serviceId:{name}1</serviceId>"
        f"<controlURL>/upnp/control/{name}1</controlURL>"
        f"<eventSubURL>/upnp/event/{name}1</eventSubURL>"
        f"<SCPDURL>/{name}service.xml</SCPDURL>"
        "</service>"
        for name, (urn, _) in SERVICES.items()
    )
    mac = identity.mac.replace(":", "").upper()
    return (
        '<?xml version="1.0"?><root xmlns="urn:Belkin:device-1-0">'
        "<specVersion><major>1</major><minor>0</minor></specVersion><device>"
        "<deviceType>urn:Belkin:device:insight:1</deviceType>"
        f"<friendlyName>{escape(identity.name)}</friendlyName>"
        "<manufacturer>Belkin International Inc.</manufacturer>"
        "<manufacturerURL>http://www.belkin.com</manufacturerURL>"
        "<modelDescription>Belkin Insight 1.0</modelDescription>"
        "<modelName>Insight</modelName><modelNumber>1.0</modelNumber>"
        "<modelURL>http://www.belkin.com/plugin/</modelURL>"
        f"<serialNumber>{escape(identity.serial)}</serialNumber>"
        f"<UDN>{escape(identity.udn)}</UDN><UPC>123456789</UPC>"
        f"<macAddress>{mac}</macAddress>"
        f"<firmwareVersion>{escape(identity.firmware)}</firmwareVersion>"
        "<iconVersion>0|49153</iconVersion>"
        f"<binaryState>{binary_state}</binaryState>"
        f"<serviceList>{services}</serviceList>"
        "<presentationURL>/pluginpres.html</presentationURL></device></root>"
    )


def scpd_xml(service: str) -> str | None:
    """Return the description of one service, or None when there is no such one."""
    if service not in SERVICES:
        return None
    actions = "".join(
        f"<action><name>{name}</name><argumentList>"
        + "".join(_argument(a, "in") for a in taken)
        + "".join(_argument(a, "out") for a in given)
        + "</argumentList></action>"
        for name, (taken, given) in SERVICES[service][1].items()
    )
    return (
        '<?xml version="1.0"?><scpd xmlns="urn:Belkin:service-1-0">'
        "<specVersion><major>1</major><minor>0</minor></specVersion>"
        f"<actionList>{actions}</actionList><serviceStateTable>"
        '<stateVariable sendEvents="yes"><name>BinaryState</name>'
        "<dataType>Boolean</dataType><defaultValue>0</defaultValue></stateVariable>"
        "</serviceStateTable></scpd>"
    )


def answer_xml(service_urn: str, action: str, name: str, value: str) -> str:
    """Return a SOAP answer with one value."""
    return _envelope(
        f'<u:{action}Response xmlns:u="{service_urn}">'
        f"<{name}>{escape(value)}</{name}></u:{action}Response>"
    )


def fault_xml(code: int, description: str) -> str:
    """Return a SOAP fault with a UPnP error code."""
    return _envelope(
        "<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring>"
        '<detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0">'
        f"<errorCode>{code}</errorCode>"
        f"<errorDescription>{escape(description)}</errorDescription>"
        "</UPnPError></detail></s:Fault>"
    )


def event_xml(binary_state: str) -> str:
    """Return the body of a GENA notification of the state."""
    return (
        '<e:propertyset xmlns:e="urn:schemas-upnp-org:event-1-0"><e:property>'
        f"<BinaryState>{binary_state}</BinaryState></e:property></e:propertyset>"
    )


def _argument(name: str, direction: str) -> str:
    return (
        f"<argument><retval/><name>{name}</name>"
        f"<relatedStateVariable>{name}</relatedStateVariable>"
        f"<direction>{direction}</direction></argument>"
    )


def _envelope(body: str) -> str:
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
        's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    )
