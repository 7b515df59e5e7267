"""Validation of certificates, keys and authorities before they are deployed.

The rules are those of the clients: Go's crypto/tls in Prometheus and Grafana, and browsers.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID

MIN_RSA_BITS = 2048
# Neither Go nor browsers support P-224 and other curves in TLS; no browser supports Ed25519.
CURVES = ("secp256r1", "secp384r1", "secp521r1")
MAX_CHAIN = 8
_PEM_CERTIFICATE = "-----BEGIN CERTIFICATE-----"


def authority_problems(text: str) -> Iterator[str]:
    """Return the faults of the authorities that clients trust: one certificate or several."""
    if problem := _form_problem(text):
        yield problem
        return
    for authority in _parse(text):
        if not _is_authority(authority):
            yield (
                f"has the certificate {_name(authority)}, which is not a CA: it may not sign "
                "others (basic constraints)"
            )
        yield from _date_problems(authority)
        yield from _key_problems(authority.public_key())


def certificate_problems(text: str, authorities: str, hosts: Sequence[str]) -> Iterator[str]:
    """Return the faults of the servers' certificate, which intermediate ones may follow.

    `hosts` are the names and addresses that clients connect to; `authorities` is empty where they
    are not known.
    """
    if problem := _form_problem(text):
        yield problem
        return
    leaf, *between = _parse(text)
    for certificate in (leaf, *between):
        yield from _date_problems(certificate)
    yield from _key_problems(leaf.public_key())
    if missing := [host for host in hosts if not covers(text, host)]:
        yield (
            f"is not for {' and '.join(missing)}: its subject alternative names are "
            f"{', '.join(_alternative_names(leaf)) or 'none, and a common name does not count'}"
        )
    if not _is_for_servers(leaf):
        yield "is not for servers: its extended key usage has no serverAuth"
    if authorities and not _leads_to(leaf, between, _parse(authorities)):
        yield (
            "is not signed by an authority of tlsCa, with the intermediate certificates that "
            f"follow it: it was issued by {_issuer(leaf)}"
        )


def key_problems(text: str, certificate: str, setting: str = "tlsCertificate") -> Iterator[str]:
    """Return the faults of the private key.

    `certificate` is empty where none is known; `setting` is where it is set.
    """
    try:
        key = serialization.load_pem_private_key(text.encode(), password=None)
    except TypeError:
        yield "is encrypted with a passphrase, which no server could be given: take that off"
        return
    except (ValueError, UnsupportedAlgorithm):
        yield "is not a private key in PEM: it begins with -----BEGIN PRIVATE KEY-----"
        return
    yield from _key_problems(key.public_key())
    if certificate and _raw(key.public_key()) != _raw(_parse(certificate)[0].public_key()):
        yield f"does not belong to {setting}: the two have different public keys"


@lru_cache
def covers(text: str, host: str) -> bool:
    """Return whether the certificate is for that name or address; `*` matches one label."""
    names = {name.lower() for name in _alternative_names(_parse(text)[0])}
    try:
        address = str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        name = host.lower()
        return bool({name, f"*.{name.partition('.')[2]}"} & names)
    return address in names


def expiry(text: str) -> datetime:
    """Return when the first of a PEM text's certificates expires."""
    return min(certificate.not_valid_after_utc for certificate in _parse(text))


@lru_cache
def _parse(text: str) -> tuple[x509.Certificate, ...]:
    return tuple(x509.load_pem_x509_certificates(text.encode()))


def _form_problem(text: str) -> str | None:
    if "PRIVATE KEY-----" in text:
        return "has a private key in it, which is a secret and has no place here: take it out"
    try:
        found = _parse(text)
    except ValueError:
        found = ()
    return None if found else f"is not a certificate in PEM: it begins with {_PEM_CERTIFICATE}"


def _date_problems(certificate: x509.Certificate) -> Iterator[str]:
    now = datetime.now(UTC)
    if certificate.not_valid_after_utc < now:
        yield f"has expired: {_name(certificate)} was valid until {_day(certificate, end=True)}"
    if certificate.not_valid_before_utc > now:
        yield (
            f"is not valid yet: {_name(certificate)} begins on {_day(certificate, end=False)} "
            "(or this machine's clock is behind)"
        )


def _key_problems(key: PublicKeyTypes) -> Iterator[str]:
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            yield f"has a weak key: RSA with {key.key_size} bits, {MIN_RSA_BITS} are the least"
    elif not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in CURVES:
        where = f" on {key.curve.name}" if isinstance(key, ec.EllipticCurvePublicKey) else ""
        yield f"has a key{where} that browsers or servers do not take: use ECDSA P-256 or RSA"


def _leads_to(
    leaf: x509.Certificate,
    between: Sequence[x509.Certificate],
    authorities: Sequence[x509.Certificate],
) -> bool:
    current = leaf
    for _ in range(MAX_CHAIN):
        if any(_issued(current, authority) for authority in authorities):
            return True
        issuer = next((found for found in between if _issued(current, found)), None)
        if issuer is None or not _is_authority(issuer):
            return False
        current = issuer
    return False


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return not isinstance(certificate.signature_hash_algorithm, hashes.SHA1)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _is_for_servers(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    allowed = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    return bool(allowed & set(usage))


def _alternative_names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [
        *found.get_values_for_type(x509.DNSName),
        *map(str, found.get_values_for_type(x509.IPAddress)),
    ]


def _raw(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or f"number {certificate.serial_number}"


def _issuer(certificate: x509.Certificate) -> str:
    return certificate.issuer.rfc4514_string() or "an unnamed issuer"


def _day(certificate: x509.Certificate, *, end: bool) -> str:
    when = certificate.not_valid_after_utc if end else certificate.not_valid_before_utc
    return f"{when:%Y-%m-%d %H:%M} UTC"
