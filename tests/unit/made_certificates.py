"""Certificates, keys and authorities, valid ones and ones with chosen faults."""

from __future__ import annotations

import functools
import ipaddress
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID

from ops.certs import ca
from tests.issued import HOUR, issued, validity

LOOPBACK = ["127.0.0.1"]
Values = dict[str, str]


@functools.cache
def good() -> Values:
    return issued(LOOPBACK)


def pem(key: CertificateIssuerPrivateKeyTypes, passphrase: bytes = b"") -> str:
    encryption = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption()
    )
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


def by_hand(
    key: CertificateIssuerPrivateKeyTypes,
    *extensions: x509.ExtensionType,
    issuer: ca.Issued | None = None,
    name: str = "by hand",
) -> str:
    """Create a certificate with chosen faults; self-signed without an issuer."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer: Any = key
    parent = subject
    if issuer:
        signer = serialization.load_pem_private_key(issuer.key.encode(), None)
        parent = x509.load_pem_x509_certificate(issuer.certificate.encode()).subject
    lasts = validity()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(parent)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(lasts.begins)
        .not_valid_after(lasts.ends)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    made = builder.sign(signer, digest)
    return made.public_bytes(serialization.Encoding.PEM).decode()


def for_loopback() -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.DNSName("localhost"), *map(ip, LOOPBACK)])


def ip(text: str) -> x509.IPAddress:
    return x509.IPAddress(ipaddress.ip_address(text))


@functools.cache
def authority() -> ca.Issued:
    return ca.authority("an authority", validity())


def signed(key: CertificateIssuerPrivateKeyTypes, *extensions: x509.ExtensionType) -> Values:
    made = by_hand(key, *extensions, issuer=authority())
    return {"tlsCa": authority().certificate, "tlsCertificate": made, "tlsKey": pem(key)}


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def with_(**changes: str) -> Values:
    return {**good(), **changes}


def expired_authority() -> Values:
    old = ca.authority("old", validity(-2 * HOUR, -HOUR))
    return issued(LOOPBACK, by=old)


def below_an_intermediate(*, given: bool) -> Values:
    """Return a server certificate of an intermediate CA, with or without the intermediate."""
    root, key = authority(), p256()
    between = by_hand(key, x509.BasicConstraints(True, None), issuer=root, name="between")
    made = ca.server(ca.Issued(between, pem(key)), LOOPBACK, validity())
    chain = made.certificate + (between if given else "")
    return {"tlsCa": root.certificate, "tlsCertificate": chain, "tlsKey": made.key}


def signed_by_a_server() -> Values:
    """Return a certificate signed by a valid server certificate that is not a CA."""
    root, key = authority(), p256()
    server = by_hand(key, x509.BasicConstraints(False, None), issuer=root, name="a server")
    made = ca.server(ca.Issued(server, pem(key)), LOOPBACK, validity())
    chain = made.certificate + server
    return {"tlsCa": root.certificate, "tlsCertificate": chain, "tlsKey": made.key}
