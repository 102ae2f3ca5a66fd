"""What would say whose lab it is does not come into a dialogue."""

import re

import pytest

from testbed.model.redaction import Redactor

KEY = "-----BEGIN {0}-----\nb3BlbnNzaC1rZXk\n-----END {0}-----".format(
    "OPENSSH PRIVATE KEY"
)
PLANTED = {
    "a MAC": ("link/ether 3c:5a:b4:0f:11:22 brd", "3c:5a:b4:0f:11:22"),
    "a MAC with dashes": ("MAC 3C-5A-B4-0F-11-33", "3C-5A-B4-0F-11-33"),
    "a MAC without colons": ("<macAddress>3C5AB40F1144</macAddress>", "3C5AB40F1144"),
    "a serial": ("[ro.serialno]: [R58M123ABCD]", "R58M123ABCD"),
    "a serial in XML": ("<serialNumber>2215K0101769</serialNumber>", "2215K0101769"),
    "an android id": ("android_id=9774d56d682e549c", "9774d56d682e549c"),
    "an IMEI": ("Device ID = 356938035643809", "356938035643809"),
    "an SSID": ('mWifiInfo SSID: "Attic Lab", BSSID: 02:11:22:33:44:55', "Attic Lab"),
    "an SSID of iw": ("\tssid KellerNetz\n", "KellerNetz"),
    "a BSSID": ("BSSID: 12:11:22:33:44:66, state", "12:11:22:33:44:66"),
    "a mail": ("Account {name=jane.doe+lab@gmail.com, type=com.google}",
               "jane.doe+lab@gmail.com"),
    "a password": ('psk="correct horse"', "correct horse"),
    "a password in JSON": ('{"password": "p@ss word;x"}', "p@ss word;x"),
    "a password with quotes": (r'"password": "a\"bcd efg", "b": 1', r'a\"bcd efg'),
    "a password in JSON in JSON": (r'{\"password\": \"ab, cd ef\"}', "ab, cd ef"),
    "a password of Python": ("{'passphrase': 'ab cd ef gh'}", "ab cd ef gh"),
    "a password after a blank": ("psk 'ij kl mn op'", "ij kl mn op"),
    "a password in XML": ("<Password>two words, here</Password>", "two words, here"),
    "a password in an attribute": ("psk=&quot;qr st uv&quot; x", "qr st uv"),
    "a password in brackets": ("[wifi.psk]: [six words; of it]", "six words; of it"),
    "a password without quotes": ("password=hunter2hunter2&x=1", "hunter2hunter2"),
    "a host name": ("[net.hostname]: [android-1a2b3c4d5e6f]", "android-1a2b3c4d5e6f"),
    "a WiFi MAC": ("[ro.boot.wifimacaddr]: [d4a1b2c3d4e5]", "d4a1b2c3d4e5"),
    "a Bluetooth MAC": ("[ro.boot.btmacaddr]: [D4A1B2C3D4E6]", "D4A1B2C3D4E6"),
    "a phone's name": ("[bluetooth.device.name]: [Annas phone]", "Annas phone"),
    "a name of Bluetooth": ("[persist.bluetooth.name]: [Zoes Galaxy]", "Zoes Galaxy"),
    "a maker's number": ("[ro.boot.uniqueno]: [ABCDEF0123456789AB]",
                         "ABCDEF0123456789AB"),
    "a did": ("[ro.boot.em.did]: [20abc123def45678]", "20abc123def45678"),
    "a builder": ("[ro.build.host]: [lauras-laptop]", "lauras-laptop"),
    "a plug's name": ("<friendlyName>Bedroom of Paul</friendlyName>", "of Paul"),
    "a device's id": ('"deviceId":"8006E5A1B2C3D4E5"', "8006E5A1B2C3D4E5"),
    "a MAC of a switch": ("mac aabb.ccdd.eef0 dynamic", "aabb.ccdd.eef0"),
    "an address after a word": ("addr:fe80::1234:5678:9abc:def0/64",
                                "fe80::1234:5678:9abc:def0"),
    "an address after src": ("src:fe80::77:1 dst:fe80::77:2", "fe80::77:1"),
    "an address in a name": ("wlan0_192.168.7.9", "192.168.7.9"),
    "an address with a port": ("IP 192.168.8.9.443 >", "192.168.8.9"),
    "a name of an address": ("9.17.168.192.in-addr.arpa", "9.17.168.192"),
    "a number with blanks": ("call +41 79 555 12 34 now", "555 12 34"),
    "a number of the country": ("call 079 555 12 35", "555 12 35"),
    "a number in one": ("call 0795551236", "0795551236"),
    "a short place": ('lat="47.37"', "47.37"),
    "a place of a map": ("geo:47.3769,8.5417?z=9", "8.5417"),
    "two numbers of a place": ("Location[gps 47.376901,8.541702 acc=9]", "8.541702"),
    "a code of HomeKit": ("setup code 123-45-678", "123-45-678"),
    "an SSID with quotes": (r'ssid = "My \"attic\" net"', "attic"),
    "an SSID of Android": ('mSSID="Cellar net"', "Cellar net"),
    "a JSON token": ('{"access_token": "ya29.a0AfH6SMBx"}', "ya29.a0AfH6SMBx"),
    "a bearer": ("Authorization: Bearer AbCdEf0123456789xyz", "AbCdEf0123456789xyz"),
    "a JWT": ("t=eyJhbGciOi.eyJzdWIiOiIx.SflKxwRJ", "SflKxwRJ"),
    "a private key": (KEY, "b3BlbnNzaC1rZXk"),
    "a public key": ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA op@bench",
                     "AAAAC3NzaC1lZDI1NTE5AAAA"),
    "an IPv4 address": ("inet 192.168.178.23/24 scope", "192.168.178.23"),
    "a public address": ("peer 87.123.45.67:443", "87.123.45.67"),
    "an IPv6 address": ("inet6 2a02:8109:b6c0:1::42/64", "2a02:8109:b6c0:1::42"),
    "a link-local address": ("fe80::3e5a:b4ff:fe0f:1122%wlan0",
                             "fe80::3e5a:b4ff:fe0f:1122"),
    "a phone number": ("line1Number=+4915112345678", "+4915112345678"),
    "a place": ("latitude: 52.520008, longitude: 13.404954", "52.520008"),
    "a UUID": ("id 6fa459ea-ee8a-3ca4-894e-db77e160355e",
               "6fa459ea-ee8a-3ca4-894e-db77e160355e"),
    "a long token": ("x 0a1b2c3d4e5f60718293a4b5c6d7e8f901 y",
                     "0a1b2c3d4e5f60718293a4b5c6d7e8f901"),
    "a UDN": ("<UDN>uuid:Insight-1_0-221517K0101888</UDN>", "221517K0101888"),
    "a word that was named": ("Jonathan's lamp", "Jonathan"),
    "a MAC of the lab": ("dev 50C7BF6BE019 up", "50C7BF6BE019"),
}  # fmt: skip
WORDS = {"Jonathan": "secret", "50:c7:bf:6b:e0:19": "mac"}


def redacted(*texts, words=WORDS):
    redactor = Redactor(words)
    redactor.learn(texts)
    return [redactor.redact(text) for text in texts], redactor


@pytest.mark.parametrize(("text", "secret"), PLANTED.values(), ids=list(PLANTED))
def test_it_is_not_in_the_text_any_more(text, secret):
    (clean,), redactor = redacted(text)
    assert secret.lower() not in clean.lower()
    assert sum(redactor.counts.values()) >= 1


def test_none_of_all_secrets_in_one_text_is_left():
    (clean,), _ = redacted("\n".join(text for text, _ in PLANTED.values()))
    left = [secret for _, secret in PLANTED.values() if secret.lower() in clean.lower()]
    assert left == []


def test_the_same_value_has_the_same_name_everywhere():
    texts, _ = redacted(
        "a 3c:5a:b4:0f:11:22 b 3C:5A:B4:0F:11:22", "c 3c:5a:b4:0f:11:22 10.1.2.3"
    )
    assert texts[0].split()[1] == texts[0].split()[3] == texts[1].split()[1]


def test_a_value_that_is_named_once_is_found_where_it_has_no_name():
    texts, _ = redacted("ssid Kellernetz", "you are in Kellernetz now")
    assert texts == ["ssid ssid1", "you are in ssid1 now"]


@pytest.mark.parametrize(
    "text",
    [
        "198.51.100.7 2001:db8::1 192.0.2.9 203.0.113.4 127.0.0.1 0.0.0.0 ::1",
        "netmask 255.255.255.0 group 239.255.255.250",
        "versionName=2.35.0 versionName=2.30.1.9 at 12:30:45, [40,220][680,310]",
        'resource-id="com.android.permissioncontroller:id/'
        'permission_deny_and_dont_ask_again_button"',
        'password="false" text="Turn on"',
        "<serialNumber></serialNumber><UDN></UDN><macAddress></macAddress><upc>1</upc>",
        "urn:Belkin:service:basicevent:1#GetBinaryState",
        "POST /upnp/control/basicevent1",
        "1795000000000000000 ns, 1795000000000 ms",
        'text="Password" resource-id="x"><node text="Turn on"/>',
        "<Password></Password> psk='' token=null latency=3.25 machine: x",
        "deviceId=2 mDeviceId: 0 rotation=0.0, 1.0 std::add foo:::add",
        "app 1.2.3 of 2026-11-22 03:53:59.123, [0,63][1080,2340] 0x7f03 1080x2340+0+0",
    ],
)
def test_what_says_nothing_of_anybody_stays(text):
    (clean,), redactor = redacted(text)
    assert clean == text
    assert redactor.counts == {}


WRITTEN = {
    "as it is": ("Bob", "Bob's lamp, (Bob)"),
    "in capitals": ("Jonathan", "JONATHAN jonathan Jonathan"),
    "within words": ("Jonathan", "Jonathans my_jonathan_lamp JonathanLamp"),
    "in a view tree": (
        "O&M's Home",
        'text="O&amp;M&apos;s Home" b="O&amp;M&#39;s Home"',
    ),
    "in JSON": ("Küche links", r'{"n": "K\u00fcche links"} {"n": "K\u00FCCHE LINKS"}'),
    "in an address": ("Jon Doe", "/Jon%20Doe?q=Jon+Doe"),
    "of umlauts": ("Küche", "/K%C3%BCche/k%c3%bcche"),
    "of two signs": ("Zoë", "Zoe\u0308 zoë"),
    "of a long letter": ("Straße", "STRAßE Straße"),
}


@pytest.mark.parametrize(("word", "text"), WRITTEN.values(), ids=list(WRITTEN))
def test_a_word_that_was_named_is_found_however_it_is_written(word, text):
    (clean,), redactor = redacted(text, words={word: "secret"})
    left = re.sub(r"secret1", "", clean)
    assert not re.search(r"bob|jon|doe|home|links|u00|%|zo|stra|che|kü", left, re.I)
    assert redactor.counts == {"secret": 1}


def test_a_short_word_is_only_found_by_itself():
    (clean,), _ = redacted("Al's malt, AL", words={"Al": "secret"})
    assert clean == "secret1's malt, secret1"


def test_what_was_learnt_is_found_as_it_was_written_and_nowhere_else():
    texts, _ = redacted('SSID: "Home & Co"', "Home &amp; Co, home & co, action.HOME")
    assert texts[1] == "ssid1, home & co, action.HOME"


def test_one_name_does_not_become_part_of_another():
    (clean,), _ = redacted(
        "Annabel secret", words={"Annabel": "secret", "secret": "secret"}
    )
    assert sorted(clean.split()) == ["secret1", "secret2"]


def test_replaced_addresses_are_of_the_ranges_for_documents():
    (clean,), _ = redacted("10.77.0.31 and 2a02::1 and 3c:5a:b4:0f:11:22")
    assert re.fullmatch(r"192\.0\.2\.1 and 2001:db8::2 and 02:00:00:00:00:\d\d", clean)
