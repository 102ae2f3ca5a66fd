"""Tell certificates of public servers from those of units and of people.

Everybody is shown the same certificate of a server of the cloud, and those of who
vouches for it. A client shows its own: a vendor's beside it changes nothing.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID, ObjectIdentifier

from analysis.exporters.audit.judging import is_public_name

FIELDS = ("tls.handshake.certificate", "dtls.handshake.certificate")
_OF_ONE = (  # who has such in the subject is one of many
    NameOID.SERIAL_NUMBER,
    NameOID.USER_ID,
    NameOID.EMAIL_ADDRESS,
    NameOID.GIVEN_NAME,
    NameOID.SURNAME,
    NameOID.DN_QUALIFIER,
    NameOID.PSEUDONYM,
    NameOID.X500_UNIQUE_IDENTIFIER,
)
_COMPANY = NameOID.JURISDICTION_COUNTRY_NAME  # whose number is that of a register
_AND = "\x1f"


@lru_cache(maxsize=256)
def public_values(told: bytes) -> frozenset[str]:
    """Return all that certificates of public servers say, of those of a packet.

    told  certificates in hex, as tshark parts them
    """
    digits = told.decode(errors="replace").replace("\t", _AND).split(_AND)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # many are not quite as they should be
        found = [each for each in map(_read, digits) if each is not None]
        public = _public(found)
        return frozenset(value for each in public for value in _values(each))


def _public(found: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Return certificates of servers, and of who vouches for public ones."""
    public = [each for each in found if _is_of_server(each)]
    waiting = list(public)
    while waiting:
        issuer = waiting.pop().issuer
        above = [e for e in found if e.subject == issuer and e not in public]
        public += above
        waiting += above
    return public


def without(told: bytes, public: frozenset[str]) -> bytes:
    """Return values of a field that no public certificate says; b'' when none is left.

    A serial number counts without colons and zeros before it.
    """
    left = (
        value
        for value in told.decode(errors="replace").split(_AND)
        if value not in public
        and value.replace(":", "").lstrip("0").lower() not in public
    )
    return _AND.join(left).encode(errors="replace")


def _read(digits: str) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(bytes.fromhex(digits.replace(":", "")))
    except ValueError:
        return None  # so that it is compared


def _is_of_server(certificate: x509.Certificate) -> bool:
    """Say whether a certificate names servers of the cloud, and nobody else."""
    subject = certificate.subject
    try:
        is_company = bool(subject.get_attributes_for_oid(_COMPANY))
        kinds = {each.oid for each in subject}
        names = [*_texts(subject, NameOID.COMMON_NAME), *_named(certificate)]
    except ValueError:
        return False
    of_one = {oid for oid in _OF_ONE if oid in kinds}
    if is_company:
        of_one.discard(NameOID.SERIAL_NUMBER)
    servers = [is_public_name(name.removeprefix("*.")) for name in names]
    return bool(servers) and all(servers) and not of_one


def _texts(name: x509.Name, oid: ObjectIdentifier) -> Iterator[str]:
    for each in name.get_attributes_for_oid(oid):
        yield each.value if isinstance(each.value, str) else each.value.hex()


def _named(certificate: x509.Certificate) -> Iterable[str]:
    """Return the other names of a certificate. Raises ValueError for unusual ones."""
    try:
        found = certificate.extensions.get_extension_for_oid(
            ExtensionOID.SUBJECT_ALTERNATIVE_NAME
        ).value
    except x509.ExtensionNotFound:
        return ()
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as exc:
        raise ValueError(str(exc)) from exc
    if not isinstance(found, x509.SubjectAlternativeName):
        return ()
    return tuple(str(each.value) for each in found)


def _values(certificate: x509.Certificate) -> Iterator[str]:
    """Yield what the fields of a certificate say."""
    for name in (certificate.subject, certificate.issuer):
        for each in name:
            yield each.value if isinstance(each.value, str) else each.value.hex()
    with suppress(ValueError):
        yield from _named(certificate)
    yield f"{certificate.serial_number:x}"
