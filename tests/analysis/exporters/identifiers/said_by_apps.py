"""What apps, people and their programs say."""

from analysis.exporters.identifiers import keyed
from tests.analysis.exporters.identifiers.crafted import (
    asked,
    coap,
    code,
    jsons,
    mqtt,
    page,
    tcp,
    txt,
    udp,
)

# protocol: frames, (kind, value) of all that is planted in them
PLANTED = {
    "json-address": (
        jsons(
            ip="84.172.35.1",
            wan_ip="9.172.35.2",
            clientIp="84.172.35.3:50123",
            remoteAddress="2003:cb:4711:beef::1234",
            yours="84.172.35.4",
        ),
        "ipv4 84.172.35.1",
        "ipv4 9.172.35.2",
        "ipv4 84.172.35.3",
        "ipv6 2003:cb:4711:beef::1234",
        "ipv4 84.172.35.4",
    ),
    "text-address": (page("84.1.2.3\n", "text/plain"), "ipv4 84.1.2.3"),
    "http-proxy": (
        asked(
            "GET / HTTP/1.1",
            "Host: nas-huber",
            "X-Forwarded-For: 84.172.36.1, 10.9.8.7",
            "X-Real-IP: 84.172.36.2",
            'Forwarded: for="[2003:cb:36::3]";proto=http',
            "True-Client-IP: 5.172.36.4",
            "Via: 1.1 proxy-huber (squid)",
        ),
        "hostname nas-huber",
        "ipv4 84.172.36.1",
        "ipv4 84.172.36.2",
        "ipv6 2003:cb:36::3",
        "ipv4 5.172.36.4",
        "hostname proxy-huber",
    ),
    "mqtt": (
        mqtt(4, "LampClient7731", "tomhuber", "Vint3rljus", "h/SN4471A902/state"),
        "serial LampClient7731",
        "account tomhuber",
        "secret Vint3rljus",
        "serial SN4471A902",
    ),
    "mqtt-5": (
        mqtt(5, "EimerClient9", "tom.h@post.example", "Krokus77", "a/boiler-7a21/x"),
        "serial EimerClient9",
        "email tom.h@post.example",
        "secret Krokus77",
        "serial boiler-7a21",
    ),
    "ftp": (
        tcp(21, "USER tomhuber2\r\n", "PASS Schlehe!99\r\n"),
        "account tomhuber2",
        "secret Schlehe!99",
    ),
    "smtp": (
        tcp(
            25,
            f"EHLO kellerpc7\r\nAUTH LOGIN\r\n{code('ahuber3')}\r\n",
            f"{code('Iltis#4')}\r\n",
            "MAIL FROM:<anna.h@post.example>\r\nRCPT TO:<briefkasten9>\r\n",
        )
        + tcp(587, f"AUTH PLAIN {code(chr(0) + 'bhuber4' + chr(0) + 'Luchs#5')}\r\n"),
        "hostname kellerpc7",
        "account ahuber3",
        "secret Iltis#4",
        "email anna.h@post.example",
        "account briefkasten9",
        "account bhuber4",
        "secret Luchs#5",
    ),
    "pop3": (
        tcp(110, "USER chuber5\r\nPASS Marder#6\r\n"),
        "account chuber5",
        "secret Marder#6",
    ),
    "imap": (
        tcp(143, 'a1 LOGIN "dhuber6" "Nerz #7"\r\n'),
        "account dhuber6",
        "secret Nerz #7",
    ),
    "hue": (
        asked("GET /api/9sXjkQ1lPmVb3TzU8wYc0dEhR5nGa2oK/lights/1 HTTP/1.1"),
        "token 9sXjkQ1lPmVb3TzU8wYc0dEhR5nGa2oK",
    ),
    "http": (
        asked(
            "GET /a?access_token=Qw8ErT5yUi2O&home=1 HTTP/1.1",
            f"Authorization: Basic {code('fhuber8:Otter#8')}",
            "Referer: http://nas9/tomhuber3",
            "User-Agent: App/2.1 (Annika\u2019s iPhone; iOS 17)",
        )
        + asked("GET / HTTP/1.1", 'Authorization: Digest username="ghuber9", uri="/"')
        + tcp(80, "HTTP/1.1 200 OK\r\nSet-Cookie: sid=Aa7bb2Cc9dd4; Path=/\r\n\r\n"),
        "token Qw8ErT5yUi2O",
        "account fhuber8",
        "secret Otter#8",
        "account tomhuber3",
        "person Annika",
        "account ghuber9",
        "token Aa7bb2Cc9dd4",
    ),
    "rtsp": (
        tcp(554, "DESCRIBE rtsp://camuser:Geheim77x@10.77.0.11/live RTSP/1.0\r\n\r\n")
        + page('{"u":"ftp://hhuber1:Dachs%239@10.77.0.12/x"}'),
        "account camuser",
        "secret Geheim77x",
        "account hhuber1",
        "secret Dachs#9",
    ),
    "sip": (
        udp(
            (50005, 5060),
            b"REGISTER sip:x SIP/2.0\r\n"
            b'From: "Ida Morgenroth" <sip:+4989123456@voip>\r\n'
            b"Contact: <sip:ihuber2@84.172.38.1:5060>\r\n\r\n",
        ),
        "person Ida Morgenroth",
        "person Morgenroth",
        "account +4989123456",
        "account ihuber2",
        "ipv4 84.172.38.1",
    ),
    "telnet": (
        tcp(
            23, b"\xff\xfb\x18\xff\xfa\x18\0xterm\xff\xf0", "jhub", "er3\r\0Fuchs#1\r\0"
        ),
        "account jhuber3",
        "secret Fuchs#1",
    ),
    "irc": (
        tcp(6667, "NICK nhuber7\r\nUSER ohuber8 0 * :Olga Wiesengrund\r\n"),
        "account nhuber7",
        "account ohuber8",
        "person Olga Wiesengrund",
    ),
    "xmpp": (
        tcp(
            5222,
            "<iq from='phuber9@heim-7/Tablet-Lotte' to='x'/><auth mechanism='PLAIN'>"
            f"{code(chr(0) + 'qhuber1' + chr(0) + 'Wiesel#4')}</auth>",
        ),
        "account phuber9",
        "hostname heim-7",
        "person Tablet-Lotte",
        "account qhuber1",
        "secret Wiesel#4",
    ),
    "coap": (
        coap(
            (3, "meter-h7.lan"),
            (11, "rd"),
            (15, "ep=EP4471B920"),
            said=b'{"token":"cO4p7Zx9Kq"}',
        ),
        "hostname meter-h7",
        "serial EP4471B920",
        "token cO4p7Zx9Kq",
    ),
    "json-people": (
        jsons(
            home_name="Haus Huber",
            room="Annas Schlafzimmer",
            name="Friederike",
            owner="Gerd Huber-Lenz",
            phone="+49 89 4471-220",
            street="Am Hang 7",
            city="Neuhausen",
            zip="81447",
            birthday="1987-04-21",
            friendlyName="Ottos Eisenbahn",
            psk="Lerche##7",
            wifi_pw="abcd1234!",
            note="\u00c5sa H\u00f6gberg",
        ),
        "person Haus Huber",
        "person Annas Schlafzimmer",
        "person Friederike",
        "person Gerd Huber-Lenz",
        "account +49 89 4471-220",
        "place Am Hang 7",
        "place Neuhausen",
        "place 81447",
        "secret 1987-04-21",
        "person Ottos Eisenbahn",
        "secret Lerche##7",
        "secret abcd1234!",
        "person \u00c5sa H\u00f6gberg",
        "person H\u00f6gberg",
    ),
    "onvif": (
        udp(
            (3702, 3702),
            b"<d:Scopes>onvif://www.onvif.org/name/KameraHuber "
            b"onvif://www.onvif.org/location/city/ulmstadt</d:Scopes>",
        ),
        "person KameraHuber",
        "place ulmstadt",
    ),
    "hue-list": (
        page('{"whitelist":{"8rWiJp0kOlUa2SyT7vXb9":{"name":"app#iPhone Wilma"}}}'),
        "token 8rWiJp0kOlUa2SyT7vXb9",
        "person app#iPhone Wilma",
    ),
    "wide": (
        tcp(80, '{"ssid":"HuberHeim5"}'.encode("utf-16-le")),
        "ssid HuberHeim5",
    ),
    "autokey": (
        udp((9999, 50009), keyed(b'{"alias":"Uhus Nest"}')),
        "person Uhus Nest",
    ),
    # a number drawn at random, with the flag of a group of addresses
    "homekit": (
        udp((5353, 5353), txt("Plug._hap._tcp.local", "id=4D:2A:11:9C:77:E0")),
        "serial 4D:2A:11:9C:77:E0",
    ),
    "logins-that-are-addresses": (
        mqtt(4, "B4-75-0E-DE-01-01", "b4:75:0e:de:01:02", "10.44.0.9", "a/b")
        + asked("GET / HTTP/1.1", "Cookie: session=b4:75:0e:de:01:03"),
        "mac b4:75:0e:de:01:01",
        "mac b4:75:0e:de:01:02",
        "mac b4:75:0e:de:01:03",
        "ipv4 10.44.0.9",
    ),
}
