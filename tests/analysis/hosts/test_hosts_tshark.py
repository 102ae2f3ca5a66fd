import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from analysis.dataset import Device, load_campaign
from analysis.hosts import find_hosts, spans_of
from analysis.hosts.table import address_text

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "captures" / "example"
PUBLIC = os.environ.get("TESTBED_PUBLIC_DATA", "")
CAPTURES = (
    (
        "iot-sentinel/HueBridge/Setup-C-12-STA.pcap",
        "00:17:88:24:76:ff",
        "dns dhcp mdns http",
    ),
    (
        "openwrt-scenarios/tplink-plug/no-firewall/wlan2.4.pcap",
        "50:c7:bf:ed:0a:54",
        "dns dhcp sni",
    ),
)
FIELDS = (
    *("eth.src", "eth.dst", "ip.dst", "udp.srcport", "dns.flags.rcode"),
    *("dns.qry.name", "dns.resp.name", "dns.count.answers", "dns.resp.type"),
    "dns.resp.ttl",
    *("dns.a", "dns.aaaa", "tcp.stream", "tls.handshake.extensions_server_name"),
    *("http.host", "dhcp.option.dhcp", "dhcp.id", "dhcp.hw.mac_addr"),
    *("dhcp.option.hostname", "dhcp.ip.your", "dhcp.option.ip_address_lease_time"),
)
WHAT = (
    # what an ICMP error quotes is not said again
    "(dns.flags.response == 1 || tls.handshake.type == 1 || http.host || dhcp) && !icmp"
)


def read_by_tshark(capture):
    """Return what tshark reads, a list of texts per field, row by row."""
    command = ["tshark", "-r", str(capture), "-Y", WHAT, "-T", "fields"]
    command += ["-E", "occurrence=a", "-E", "aggregator=;"]
    for field in FIELDS:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [
        dict(zip(FIELDS, (text.split(";") for text in line.split("\t")), strict=True))
        for line in done.stdout.splitlines()
    ]


def named_by_tshark(rows, mac):
    """What tshark reads: (source, name, address) -> how often."""
    found, asked = Counter(), {}
    for row in rows:
        way = row["eth.src"], row["eth.dst"]
        if row["dhcp.id"][0]:
            found.update(leased(row, asked, mac))
        elif [mac] in way and row["udp.srcport"] == ["5353"]:
            found.update(("mdns", *each) for each in told(row, len))
        elif [mac] == way[1] and row["udp.srcport"] == ["53"]:
            if row["dns.flags.rcode"] == ["0"]:
                n = int(row["dns.count.answers"][0])
                # those of name servers follow behind the answers
                name = row["dns.qry.name"][0]
                found.update(("dns", name, each) for _, each in told(row, n))
        elif [mac] in way and row["tcp.stream"][0]:
            to = row["ip.dst"][0]
            for name in filter(None, row["tls.handshake.extensions_server_name"]):
                found["sni", name, to] += 1
            for name in (text.partition(":")[0] for text in row["http.host"]):
                if name and not name.replace(".", "").isdigit():
                    found["http", name.lower(), to] += 1
    return found


def told(row, n):
    """Yield (name, address) of the first records."""
    addresses = {"1": iter(row["dns.a"]), "28": iter(row["dns.aaaa"])}
    kinds = [kind for kind in row["dns.resp.type"] if kind != "33"]  # SRV: no name
    if n is len:  # all records of mDNS; of 0 s when it is a goodbye
        n = 0 if "0" in row["dns.resp.ttl"] else len(kinds)
    for kind, name in [*zip(kinds, row["dns.resp.name"], strict=True)][:n]:
        if kind in addresses:
            yield name.lower(), next(addresses[kind])


def leased(row, asked, mac):
    """Yield what an answer of DHCP says; the client says its name beforehand."""
    key, name = (
        (row["dhcp.id"][0], row["dhcp.hw.mac_addr"][0]),
        row["dhcp.option.hostname"],
    )
    if name[0]:
        asked[key] = name[0]
    leases = row["dhcp.option.ip_address_lease_time"][0]
    if row["dhcp.option.dhcp"] == ["5"] and leases and mac == key[1]:
        yield "dhcp", asked.get(key, ""), row["dhcp.ip.your"][0]


def named_by_us(captures, device):
    found = Counter()
    for _, span in spans_of(captures, (device,)):
        found[span.source, span.name, address_text(span.address)] += span.n
    return found


def test_names_of_the_example_are_those_of_tshark():
    captures = sorted((EXAMPLE / "raw").glob("*.pcapng"))
    rows = [row for capture in captures for row in read_by_tshark(capture)]
    every = Counter()
    for device in load_campaign(EXAMPLE).devices:
        ours = named_by_us(captures, device)
        assert ours == named_by_tshark(rows, device.mac)
        every += ours
    assert every.total() == find_hosts(EXAMPLE)["n"].sum() > 4


@pytest.mark.skipif(not PUBLIC, reason="TESTBED_PUBLIC_DATA is not set")
@pytest.mark.parametrize(("capture", "mac", "sources"), CAPTURES)
def test_names_of_public_captures_are_those_of_tshark(capture, mac, sources):
    path = Path(PUBLIC) / capture
    ours = named_by_us([path], Device(name="one", mac=mac))
    assert ours == named_by_tshark(read_by_tshark(path), mac)
    assert {source for source, _, _ in ours} == set(sources.split())
