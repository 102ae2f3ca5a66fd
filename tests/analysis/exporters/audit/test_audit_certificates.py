"""A certificate is public when it names servers; it makes none beside it public."""

import datetime
import shutil
import stat
import struct

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from analysis.exporters.audit.certificates import public_values, without
from analysis.exporters.audit.identity import askable, compared
from analysis.exporters.audit.pairs import Campaign, Task
from analysis.pcap.blocks import Interface
from analysis.pcap.writer import open_capture
from tests.bench.redteam import prefixed, tcp

KEY = ec.derive_private_key(7, ec.SECP256R1())
WHEN = datetime.datetime(2026, 1, 5)  # noqa: DTZ001  # as the library wants it
OWNER, SERIAL = "Vinterljus Bergstrand", 0x00A5_11C2_7E90_4D3B
CA = (NameOID.COMMON_NAME, "Gröndal Rotvertrauen G2")


def name(*attributes):
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def common(value):
    return (NameOID.COMMON_NAME, value)


def certificate(subject, issuer, *, names=(), serial=SERIAL):
    made = x509.CertificateBuilder(
        subject_name=name(*subject),
        issuer_name=name(*issuer),
        public_key=KEY.public_key(),
        serial_number=serial,
        not_valid_before=WHEN,
        not_valid_after=WHEN + datetime.timedelta(days=9),
    )
    if names:
        other = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
        made = made.add_extension(other, critical=False)
    signed = made.sign(KEY, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


SERVER = certificate([common("api.vendor.com")], [CA], names=["*.vendor.com"], serial=9)
ROOT = certificate([CA], [CA], serial=11)
CLIENT = certificate([common(OWNER)], [common("ca.vendor.com")])
VENDOR = certificate([common("ca.vendor.com")], [common("ca.vendor.com")], serial=12)
REGISTER = (NameOID.JURISDICTION_COUNTRY_NAME, "DE"), (NameOID.SERIAL_NUMBER, "HRB 77")


def public(*certificates):
    return public_values("\x1f".join(each.hex() for each in certificates).encode())


def test_who_vouches_for_a_public_server_is_public():
    assert CA[1] in public(SERVER, ROOT)
    assert "b" in public(SERVER, ROOT)  # the number 11
    assert public(ROOT) == frozenset()


@pytest.mark.parametrize(
    "private",
    [
        CLIENT,
        certificate([common(OWNER)], [CA], names=["iot.vendor.com"]),
        certificate([common("iot.vendor.com"), (NameOID.SERIAL_NUMBER, OWNER)], [CA]),
        certificate([common("iot.vendor.com"), (NameOID.EMAIL_ADDRESS, OWNER)], [CA]),
        certificate([common("haus.dyndns.org"), (NameOID.LOCALITY_NAME, OWNER)], [CA]),
        certificate([common("iot.vendor.com")], [CA], names=["unit-4711082233.a.com"]),
        b"no certificate",
    ],
    ids=["client", "named", "number", "mail", "home", "unit", "damaged"],
)
def test_a_public_certificate_beside_it_makes_no_private_one_public(private):
    said = public(VENDOR, SERVER, private)
    assert OWNER not in said
    assert f"{SERIAL:x}" not in said
    assert without(f"ca.vendor.com\x1f{OWNER}".encode(), said) == OWNER.encode()
    assert without(b"00a511c27e904d3b", said)


def test_a_company_with_its_number_of_a_register_is_public():
    assert "HRB 77" in public(certificate([common("shop.vendor.com"), *REGISTER], [CA]))


def three(data):
    return struct.pack(">I", len(data))[1:] + data


@pytest.fixture
def values(tmp_path):
    """Return the values that a capture of certificates shares with itself."""

    def _values(*certificates):
        chain = three(b"".join(map(three, certificates)))
        record = b"\x16\x03\x03" + prefixed(b"\x0b" + three(chain))
        path = tmp_path / "a.pcapng"
        with open_capture(path, interfaces=(Interface(link=1),)) as out:
            for number, frame in enumerate(tcp(443, record, back=True)):
                at = 1_767_607_200_000_000_000 + number
                out.packet(at, frame[-1] if isinstance(frame, tuple) else frame)
        about = Campaign(about=tmp_path / "none", words=(), devices={}, at_s=0)
        task = Task(
            name="a",
            campaign=about,
            pairs=(("a.pcapng", path, path),),
            size_b=1,
            known=askable(),
        )
        found = compared(task, lambda _: None)
        fields = [e for e in found.same if e.field.startswith("x509")]
        return {each.value for each in fields}, [why for _, why in found.unread]

    return _values


def test_what_a_client_shows_is_compared_though_a_vendors_stands_beside_it(values):
    found, unread = values(CLIENT, VENDOR)
    assert unread == []
    assert {"Vinterljus", "Bergstrand"} <= {w for each in found for w in each.split()}
    assert any(each.replace(":", "").endswith("a511c27e904d3b") for each in found)


def test_what_a_server_shows_tells_nobody(values):
    assert values(SERVER, ROOT) == (set(), [])


@pytest.mark.parametrize("cut", ["head -c -1", "sed 's/^1\t/2\t/'", "head -c 0"])
def test_a_tshark_that_leaves_out_fields_of_packets_refuses(
    values, tmp_path, monkeypatch, cut
):
    real = shutil.which("tshark")
    tool = tmp_path / "tshark"
    asked = f'case "$1" in --version|-G) exec {real} "$@";; esac'
    tool.write_text(f'#!/bin/sh\n{asked}\n{real} "$@" | {cut}\n')
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    recorded, published = values(CLIENT, VENDOR)[1]
    assert recorded == published
    assert recorded.startswith("fields of identity: tshark told of ")
