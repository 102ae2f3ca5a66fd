"""What networks say: gateways, addresses, names of machines, certificates, the air."""

import struct

from tests.analysis.exporters.identifiers.crafted import (
    HOST,
    ROUTER,
    announced,
    asked,
    beacon,
    browser,
    cdp,
    certificate,
    delegated,
    dhcp,
    dns,
    eapol,
    four,
    ip6,
    labels,
    lldp,
    netbios,
    ntlm,
    option,
    pppoe,
    quoted,
    radius,
    sized,
    snmp,
    snmp3,
    soap,
    stun,
    tcp,
    tls,
    tlv,
    txt,
    udp,
)

# protocol: frames, (kind, value) of all that is planted in them
PLANTED = {
    "stun": (stun(0x101, 0x20, "84.172.33.91", True), "ipv4 84.172.33.91"),
    "stun-plain": (stun(0x101, 1, "84.172.33.92", False), "ipv4 84.172.33.92"),
    "stun-six": (stun(0x101, 0x20, "2003:cb:7:1::9", True), "ipv6 2003:cb:7:1::9"),
    "stun-tcp": (stun(0x101, 0x20, "84.172.33.93", True, True), "ipv4 84.172.33.93"),
    "nat-pmp": (
        udp((5351, 50002), struct.pack(">BBHI", 0, 128, 0, 7) + four("84.172.33.94")),
        "ipv4 84.172.33.94",
    ),
    "pcp": (
        udp(
            (5351, 50002),
            b"\2\x81\0\0" + bytes(40) + four("::ffff:84.172.33.96"),
        ),
        "ipv4 84.172.33.96",
    ),
    "icmp": (quoted(), "ipv4 84.172.33.95"),
    "igd": (
        soap(
            NewExternalIPAddress="84.172.34.1",
            NewInternalClient="192.168.44.7",
            NewPreSharedKey="Seerose!19",
            NewKeyPassphrase="Distelfink 4",
            NewWEPKey0="4F6E2A9C31",
            NewSSID="Moosgrund",
            NewMACAddress="50:C7:BF:00:AA:01",
            NewSerialNumber="D391.017.000.221",
        ),
        "ipv4 84.172.34.1",
        "ipv4 192.168.44.7",
        "secret Seerose!19",
        "secret Distelfink 4",
        "secret 4F6E2A9C31",
        "ssid Moosgrund",
        "mac 50:c7:bf:00:aa:01",
        "serial D391.017.000.221",
    ),
    "router-advertisement": (
        announced("2003:cb:51::"),
        "ipv6 2003:cb:51::",
        "ipv6 fd56:2674:7909:1::",
        "domain waldhaus.org",
    ),
    "dhcp6": (
        delegated("2003:cb:52::", "2003:cb:53::77"),
        "ipv6 2003:cb:52::",
        "ipv6 2003:cb:53::77",
    ),
    "dynamic-dns": (
        dns("villa-tomhuber.duckdns.org")
        + dns("k3j4h5g6f7d8.myfritz.net")
        + dns("p54ac215b.dip0.t-ipconnect.de")
        + dns("dslb-084-172-037-001.pools.isp.example"),
        "domain villa-tomhuber.duckdns.org",
        "hostname villa-tomhuber",
        "domain k3j4h5g6f7d8.myfritz.net",
        "ipv4 84.172.33.91",
        "domain p54ac215b.dip0.t-ipconnect.de",
        "ipv4 84.172.37.1",
    ),
    "snmp": (
        snmp(
            "NachtigallQ",
            (4, "Greta Ohnesorg"),
            (5, "huber-switch-2"),
            (6, "Seegasse 14"),
        ),
        "secret NachtigallQ",
        "person Greta Ohnesorg",
        "hostname huber-switch-2",
        "place Seegasse 14",
    ),
    "snmp-3": (snmp3("ehuber7"), "account ehuber7"),
    "eapol": (eapol("anna.huber-privat"), "account anna.huber-privat"),
    "radius": (
        radius(
            (1, b"khuber4"),
            (31, b"50-C7-BF-00-BB-02"),
            (30, b"D8-0D-17-00-CC-03:Erlenbruch"),
            (32, b"ap-huber-2"),
        ),
        "account khuber4",
        "mac 50:c7:bf:00:bb:02",
        "mac d8:0d:17:00:cc:03",
        "ssid Erlenbruch",
        "hostname ap-huber-2",
    ),
    "pppoe": (
        pppoe(0xC023, 1, sized("lhuber5", ">B") + sized("Igel#22", ">B"))
        + pppoe(0x8021, 3, b"\3\6" + four("84.172.39.1")),
        "account lhuber5",
        "secret Igel#22",
        "ipv4 84.172.39.1",
    ),
    "ldap": (
        tcp(
            389,
            tlv(
                0x30,
                tlv(2, b"\1"),
                tlv(
                    0x60,
                    tlv(2, b"\3"),
                    tlv(4, "uid=mhuber6,dc=x"),
                    tlv(0x80, "Biber#3"),
                ),
            ),
        ),
        "account mhuber6",
        "secret Biber#3",
    ),
    "kerberos": (
        udp(
            (50008, 88),
            tlv(0x6A, tlv(0x30, tlv(0x1B, "rhuber2"), tlv(0x1B, "HUBERHEIM.LAN"))),
        ),
        "account rhuber2",
        "hostname HUBERHEIM",
    ),
    "smb": (
        tcp(445, bytes(8) + ntlm("HUBERDOM", "shuber3", "LAPTOP-K7M2Q"), bytes(4))
        + tcp(445, b"\xfeSMB" + "\\\\SPEICHER-9\\fotos".encode("utf-16-le") + bytes(4)),
        "hostname HUBERDOM",
        "account shuber3",
        "hostname LAPTOP-K7M2Q",
        "hostname SPEICHER-9",
    ),
    "syslog": (
        udp((50004, 514), b"<30>Nov 21 22:00:00 huberrouter huber-backup[7]: hello")
        + udp((50004, 514), b"<30>1 2026-01-05T10:00:00Z huberpumpe app 1 - - hi"),
        "hostname huberrouter",
        "hostname huber-backup",
        "hostname huberpumpe",
    ),
    "lldp": (
        lldp(
            (1, b"\4" + bytes.fromhex("50c7bf00dd04")),
            (2, b"\7port-huber-4"),
            (5, b"huber-nas-keller"),
            (8, b"\5\1" + four("192.168.45.8") + bytes(6)),
        ),
        "mac 50:c7:bf:00:dd:04",
        "hostname port-huber-4",
        "hostname huber-nas-keller",
        "ipv4 192.168.45.8",
    ),
    "cdp": (
        cdp(
            (1, b"huber-telefon-1"),
            (2, struct.pack(">I", 1) + b"\1\1\xcc\0\4" + four("192.168.46.9")),
        ),
        "hostname huber-telefon-1",
        "ipv4 192.168.46.9",
    ),
    "dhcp": (
        dhcp(
            option(12, b"Eva"),
            option(60, b"huber-vendor99"),
            option(61, b"\0client-huber-61"),
            option(77, sized("gruppe-huber", ">B")),
            option(82, option(1, b"dslam-7/3/22") + option(2, b"KD-4471-9920")),
            option(119, labels("familie-huber.org")),
            option(125, b"\0\0\x0d\xe9\x0e" + option(5, b"AVM4471B2209")),
        ),
        "hostname Eva",
        "serial huber-vendor99",
        "serial client-huber-61",
        "hostname gruppe-huber",
        "serial dslam-7/3/22",
        "serial KD-4471-9920",
        "domain familie-huber.org",
        "serial AVM4471B2209",
    ),
    "tls-client": (
        tls(
            certificate(
                [
                    ("550403", "DSN-G090LF1070123ABC"),
                    ("0992268993f22c640101", "thuber4"),
                ],
                tlv(0x82, "gw-huber.lan"),
                tlv(0x87, four("192.168.47.1")),
                tlv(0x81, "uta.h@post.example"),
            )
        ),
        "serial DSN-G090LF1070123ABC",
        "account thuber4",
        "hostname gw-huber",
        "ipv4 192.168.47.1",
        "email uta.h@post.example",
    ),
    "tls-server": (
        tls(
            certificate([("550403", "huber-kamera.local"), ("550407", "Ulmstadt")]),
            False,
        ),
        "hostname huber-kamera",
        "place Ulmstadt",
    ),
    "mndp": (
        udp(
            (5678, 5678),
            bytes(4)
            + b"\0\1\0\6"
            + bytes.fromhex("50c7bf00ee05")
            + struct.pack(">H", 5)
            + sized("mikrotik-huber")
            + b"\0\x11\0\4"
            + four("192.168.48.1"),
        ),
        "mac 50:c7:bf:00:ee:05",
        "hostname mikrotik-huber",
        "ipv4 192.168.48.1",
    ),
    "ubnt": (
        udp(
            (10001, 50010),
            b"\1\0\0\x40\2\0\x0a"
            + bytes.fromhex("50c7bf00ef06")
            + four("192.168.49.1")
            + b"\x0b"
            + sized("ap-dachhuber")
            + b"\x0d"
            + sized("Dachsbau"),
        ),
        "mac 50:c7:bf:00:ef:06",
        "ipv4 192.168.49.1",
        "hostname ap-dachhuber",
        "ssid Dachsbau",
    ),
    "wake-on-lan": (
        udp((50011, 9), b"\xff" * 6 + bytes.fromhex("001fe47c550a") * 16),
        "mac 00:1f:e4:7c:55:0a",
    ),
    "machine-names": (
        dhcp(option(12, b"laptop-h3.uni.example"), option(15, b"huberheim"))
        + udp(
            (546, 547),
            b"\1abc"
            + struct.pack(">HH", 39, 23)
            + b"\0"
            + labels("pc-h4.schule.example"),
        )
        + asked("GET /log/50C7BF0AB1C2 HTTP/1.1"),
        "hostname laptop-h3",
        "domain laptop-h3.uni.example",
        "hostname huberheim",
        "hostname pc-h4",
        "domain pc-h4.schule.example",
        "mac 50:c7:bf:0a:b1:c2",
    ),
    "netbios": (
        [
            *udp(
                (138, 138),
                bytes(14) + b"\x20" + netbios("HUBER-PC") + bytes(41),
            ),
            ROUTER
            + HOST
            + sized(b"\xf0\xf0\3" + browser("DRUCKER-K9", "Drucker Lenz")),
            *tcp(139, b"\x81\0\0\x44\x20" + netbios("KELLER-PC") + bytes(35)),
        ],
        "hostname HUBER-PC",
        "hostname DRUCKER-K9",
        "person Drucker Lenz",
        "hostname KELLER-PC",
    ),
    "wps": (
        beacon(
            "Huberwald",
            (0x1011, b"Kamera Ulrike"),
            (0x1042, b"WPS4471B8"),
            (0x1047, bytes.fromhex("63041253101920061228d80d17aabc01")),
        ),
        "ssid Huberwald",
        "person Kamera Ulrike",
        "serial WPS4471B8",
        "uuid 63041253-1019-2006-1228-d80d17aabc01",
    ),
    "host-six": (
        [ip6(59, b"", "2003:cb:54::aa", "2a00:1450::1")],
        "ipv6 2003:cb:54::aa",
        "ipv6 2003:cb:54::",
    ),
    "dns-sd": (
        udp(
            (5353, 5353),
            txt("a._googlecast._tcp.local", "fn=Mayas Stube", "bs=FA8FCA3B7D11"),
        )
        + udp((5353, 5353), txt("b._googlecast._tcp.local", "cd=9A8B7C6D5E4F3A2B"))
        + udp(
            (5353, 5353), txt("c._meshcop._udp.local", "nn=Huberthread", "sh=Zq1xAw==")
        ),
        "person Mayas Stube",
        "mac fa:8f:ca:3b:7d:11",
        "token 9A8B7C6D5E4F3A2B",
        "ssid Huberthread",
        "token Zq1xAw==",
    ),
    "netbios-status": (
        udp(
            (137, 137),
            b"\0\1\x84\0\0\0\0\1\0\0\0\0\x20CK"
            + b"A" * 30
            + b"\0\0\x21\0\1"
            + bytes(4)
            + b"\0\x53\2"
            + b"HUBERSTUBE     \0\4\0"
            + b"WORKGROUP      \0\x84\0"
            + bytes.fromhex("b4750ede0201")
            + bytes(40),
        ),
        "hostname HUBERSTUBE",
        "mac b4:75:0e:de:02:01",
    ),
    "dhcp-routes": (
        dhcp(
            option(54, four("192.168.144.2")),
            option(121, b"\x18\xc0\xa8\x4d" + four("192.168.144.9")),
            option(138, four("192.168.144.10")),
            option(43, b"\1\6" + bytes.fromhex("50c7bf77aa02")),
            option(82, option(2, b"\0\6" + bytes.fromhex("b4750ede0202"))),
        ),
        "ipv4 192.168.144.9",
        "ipv4 192.168.144.10",
        "mac 50:c7:bf:77:aa:02",
        "mac b4:75:0e:de:02:02",
    ),
    "dhcp6-maker": (
        udp((546, 547), b"\1abc\0\1\0\x11\0\2\0\0\0\xabHUBERDUID77"),
        "serial HUBERDUID77",
    ),
    "dhcp6-name": (
        udp((546, 547), b"\1abc\0\x27\0\x11\1" + labels("huberuhr.stube")),
        "hostname huberuhr",
        "domain huberuhr.stube",
    ),
    "dhcp-far": (
        dhcp(
            option(121, b"\x14\x0a\x4d\xa0" + four("10.9.8.7")),
            option(138, four("10.9.8.6")),
        ),
        "ipv4 10.9.8.7",
        "ipv4 10.9.8.6",
    ),
    "edns": (
        udp(
            (50101, 53),
            struct.pack(">6H", 7, 0x100, 1, 0, 0, 1)
            + labels("a.example.com")
            + b"\0\1\0\1"
            + b"\0\0\x29\x10\0\0\0\0\0"
            + sized(
                b"\0\x08\0\x08\0\1\x20\0"
                + four("84.172.55.91")
                + b"\xfd\xe9\0\6"
                + bytes.fromhex("b4750ede0203")
            ),
        ),
        "ipv4 84.172.55.91",
        "mac b4:75:0e:de:02:03",
    ),
}
