"""The lab's own certificate authority, and a certificate for each cloud host."""

import datetime as dt
import os
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from testbed.virtual.fast.tls import certificate_b

_DAYS = dt.timedelta(days=30)
_PADDING = x509.ObjectIdentifier("1.3.6.1.4.1.55555.1")  # made up; filler only
_MESSAGE_B = 13  # what a TLS Certificate message adds to one certificate


class Authority:
    """Signs for any host of the lab; `path` is what clients are to trust."""

    def __init__(self, path: Path, now: dt.datetime) -> None:
        self.path = path
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Virtual house authority")
        certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
            .sign(self._key, hashes.SHA256())
        )
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def client_context(self) -> ssl.SSLContext:
        """Return a client's settings: TLS 1.3, and this authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(self.path)
        return context

    def server_context(self, host: str) -> ssl.SSLContext:
        """Return a server's settings, with a certificate of the host's size."""
        key = ec.generate_private_key(ec.SECP256R1())
        wanted_b = certificate_b(host) - _MESSAGE_B
        filler_b = wanted_b // 2
        certificate = self._sign(host, key, filler_b)
        # Lengths of lengths and of the signature vary by a byte or two, hence again.
        for _ in range(8):
            lacking_b = wanted_b - len(_der(certificate))
            if lacking_b == 0:
                break
            filler_b = max(1, filler_b + lacking_b)
            certificate = self._sign(host, key, filler_b)
        return _context(certificate, key)

    def _sign(
        self, host: str, key: ec.EllipticCurvePrivateKey, filler_b: int
    ) -> x509.Certificate:
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        builder = self._builder(_name(host[:60]), key.public_key())
        builder = builder.add_extension(names, False)
        if filler_b:
            filler = x509.UnrecognizedExtension(_PADDING, os.urandom(filler_b))
            builder = builder.add_extension(filler, False)
        return builder.sign(self._key, hashes.SHA256())

    def _builder(
        self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - dt.timedelta(days=1))
            .not_valid_after(self._now + _DAYS)
        )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _context(
    certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.NamedTemporaryFile() as file:  # ssl loads from files alone
        file.write(secret + certificate.public_bytes(pem))
        file.flush()
        context.load_cert_chain(file.name)
    return context
