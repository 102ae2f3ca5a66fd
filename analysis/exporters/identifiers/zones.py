"""Names under public zones that are a home's all the same: they lead to its address."""

import ipaddress
import re

# whoever asks gets a name there, which points to the address at home
_DYNAMIC = frozenset(
    [
        "duckdns.org",
        "myfritz.net",
        "myfritz.link",
        "dyndns.org",
        "dyndns.com",
        "dyndns.info",
        "dyndns.tv",
        "dyndns.biz",
        "dyndns-home.com",
        "dyndns-ip.com",
        "dyndns-remote.com",
        "dyndns-server.com",
        "dyndns-web.com",
        "dyndns-at-home.com",
        "dyndns1.de",
        "dynalias.com",
        "dynalias.org",
        "dynalias.net",
        "homeip.net",
        "homelinux.org",
        "homelinux.com",
        "homelinux.net",
        "homeunix.org",
        "homeunix.com",
        "homeunix.net",
        "homedns.org",
        "ath.cx",
        "is-a-geek.com",
        "is-a-geek.org",
        "mine.nu",
        "gotdns.com",
        "gotdns.org",
        "kicks-ass.net",
        "selfip.com",
        "selfip.org",
        "selfip.net",
        "selfip.info",
        "selfip.biz",
        "dnsalias.com",
        "dnsalias.net",
        "dnsalias.org",
        "no-ip.org",
        "no-ip.com",
        "no-ip.biz",
        "no-ip.info",
        "noip.me",
        "noip.com",
        "ddns.net",
        "ddns.me",
        "ddns.info",
        "ddnsking.com",
        "ddns.us",
        "hopto.org",
        "hopto.me",
        "zapto.org",
        "sytes.net",
        "servebeer.com",
        "serveftp.com",
        "servegame.com",
        "servehttp.com",
        "myftp.org",
        "myftp.biz",
        "redirectme.net",
        "3utilities.com",
        "bounceme.net",
        "onthewifi.com",
        "gotdns.ch",
        "webhop.me",
        "viewdns.net",
        "access.ly",
        "synology.me",
        "myds.me",
        "diskstation.me",
        "i234.me",
        "dscloud.me",
        "dscloud.biz",
        "dscloud.mobi",
        "quickconnect.to",
        "myqnapcloud.com",
        "mycloudnas.com",
        "asuscomm.com",
        "tplinkdns.com",
        "dlinkddns.com",
        "dvrdns.org",
        "dynv6.net",
        "dynv6.com",
        "dns.army",
        "dns.navy",
        "v6.rocks",
        "v6.army",
        "freeddns.org",
        "dynu.net",
        "dynu.com",
        "mywire.org",
        "accesscam.org",
        "camdvr.org",
        "casacam.net",
        "ddnsfree.com",
        "ddnsgeek.com",
        "gleeze.com",
        "giize.com",
        "kozow.com",
        "loseyourip.com",
        "ooguy.com",
        "theworkpc.com",
        "webredirect.org",
        "spdns.de",
        "spdns.eu",
        "spdns.org",
        "firewall-gateway.com",
        "my-gateway.de",
        "my-router.de",
        "ddnss.de",
        "ddnss.org",
        "dyn.ddnss.de",
        "dyndns.ddnss.de",
        "dynamic-dns.net",
        "changeip.com",
        "dyn-ip24.de",
        "dyndns.de",
        "selfhost.de",
        "selfhost.eu",
        "selfhost.me",
        "selfhost.bz",
        "goip.de",
        "goip.it",
        "dedyn.io",
        "desec.io",
        "nsupdate.info",
        "afraid.org",
        "mooo.com",
        "chickenkiller.com",
        "us.to",
        "strangled.net",
        "crabdance.com",
        "ignorelist.com",
        "jumpingcrab.com",
        "twilightparadox.com",
        "tzo.com",
        "tzo.net",
        "zoneedit.com",
        "dtdns.net",
        "3322.org",
        "vicp.net",
        "xicp.net",
        "gicp.net",
        "sn.mynetname.net",
        "mynetname.net",
        "keenetic.pro",
        "keenetic.link",
        "keenetic.name",
        "keenetic.io",
        "netcraze.pro",
        "ui.direct",
        "plex.direct",
        "nabu.casa",
        "ts.net",
        "remotewd.com",
        "home-webserver.de",
        "hs.ip-phone.io",
        "feste-ip.net",
        "edns.de",
        "anydns.info",
        "no-ip.de",
        "mynetgear.com",
        "mycloud.com",
        "freedns.org",
        "fritz.box",
    ]
)
# providers whose names are of homes under any top level
_PROVIDERS = frozenset(
    {
        *("dyndns", "dynv6", "duckdns", "myfritz", "no-ip", "noip", "ddns", "hopto"),
        *("zapto", "sytes", "servebeer", "selfhost", "spdns", "myds", "dnsalias"),
        *("homeip", "dynalias", "homelinux", "homeunix", "freedns", "afraid"),
        *("myqnapcloud", "remotewd", "asuscomm", "tplinkdns", "mynetgear"),
    }
)
# labels of the service itself
_SERVICE = frozenset(
    [
        "www",
        "api",
        "app",
        "checkip",
        "members",
        "update",
        "updates",
        "dynupdate",
        "dyn",
        "ipv4",
        "ipv6",
        "ip",
        "nic",
        "ns",
        "ns1",
        "ns2",
        "ns3",
        "ns4",
        "mail",
        "static",
        "cdn",
        "help",
        "support",
        "docs",
        "my",
        "login",
        "account",
        "stun",
        "time",
    ]
)
_UPDATED = re.compile(r"(?:^|[.-])(?:dyn|dyndns|ddns|dynip|no-ip|noip)[.-]")
# providers of homes; 'dip0' and such stand before the zone
_AT_HOME = re.compile(
    r"(?:^|[.\d-])(?:dip\d*|pools?|dyn|dynamic|dynip|dsl|[avhs]dsl|cable|broadband|dialup|"
    r"cust|customers?|clients?|res|residential|fiber|ftth|dhcp|ppp|pppoe|home|pool-[\w-]+|"
    r"kabel|customer|wan|isp|user|users|subs|cpe|access|bb)(?:\d*)(?:[.-]|$)"
    r"|t-ipconnect\.de$|ip\.\w+\.\w+$|comcast\.net$|btcentralplus\.com$|virginm\.net$"
    r"|telia\.com$|wanadoo\.fr$|telekom|vodafone|kabel-deutschland|unitymedia"
)
_HOSTED = [
    "amazonaws.com",
    "cloudfront.net",
    "akamaitechnologies.com",
    "akamaiedge.net",
    "1e100.net",
    "googleusercontent.com",
    "azure.com",
    "cloudapp.net",
    "linodeusercontent.com",
    "your-server.de",
    "awsdns.com",
    "fastly.net",
    "hetzner.com",
    "digitalocean.com",
    "vultrusercontent.com",
    "ovh.net",
]
_DECIMAL = re.compile(r"(?<!\d)(\d{1,3})[.-](\d{1,3})[.-](\d{1,3})[.-](\d{1,3})(?!\d)")
_HEXADECIMAL = re.compile(r"(?i)^(?:[a-z]{0,5}-?)?([0-9a-f]{8})(?=\.|$)")


def dynamic_zone(name: str) -> str:
    """Return the public zone under which a name of a home stands, '' for none.

    name  lower case, without the dot at its end
    """
    labels = name.split(".")
    for size in (3, 2):
        zone = ".".join(labels[-size:])
        if len(labels) <= size or not (zone in _DYNAMIC or labels[-size] in _PROVIDERS):
            continue
        of_service = len(labels) == size + 1 and labels[0] in _SERVICE
        return "" if of_service else zone
    if (
        len(labels) > 2
        and labels[-3] not in _SERVICE
        and _UPDATED.search("." + ".".join(labels[-2:]))
    ):
        return ".".join(labels[-2:])
    return ""


def addresses_in(name: str) -> tuple[str, ...]:
    """Return the address that a provider wrote into the name of a home; () for none.

    p54ac215b.dip0.t-ipconnect.de holds 84.172.33.91, and so does
    dslb-084-172-033-091.pools.example. Those of hosts in data centres count not.
    Numbers with dots between may be in either order: then there are two.
    """
    if name.endswith(tuple(_HOSTED)):
        return ()
    first, _, rest = name.partition(".")
    found = _DECIMAL.search(name)
    if found and name.count(".") >= 2:
        numbers = [int(each) for each in found.groups()]
        at_home = _AT_HOME.search(name[: found.start()] + name[found.end() :])
        if at_home and max(numbers) < 256:
            orders = (numbers, numbers[::-1])[: 2 if found[0].count(".") == 3 else 1]
            return tuple(".".join(map(str, order)) for order in orders)
    hexadecimal = _HEXADECIMAL.match(first)
    if hexadecimal and rest and _AT_HOME.search(rest):
        return (str(ipaddress.IPv4Address(bytes.fromhex(hexadecimal[1]))),)
    return ()
