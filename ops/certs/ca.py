"""Private CA and the certificates that it signs: ECDSA P-256, which all clients accept."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_KEY_USES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
    *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


@dataclass(frozen=True)
class Issued:
    """A certificate and its private key, both as PEM."""

    certificate: str
    key: str


@dataclass(frozen=True)
class Validity:
    begins: datetime
    ends: datetime


def authority(name: str, validity: Validity, seed: int | None = None) -> Issued:
    """Create a CA that may sign servers' certificates but no other CA.

    With a `seed` it is the same each time and worth nothing: for placeholders alone.
    """
    key = _key(seed)
    builder = (
        _builder(name, name, key.public_key(), validity, seed)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
    )
    return _signed(builder, key, key, seed)


def server(
    issuer: Issued, hosts: Sequence[str], validity: Validity, seed: int | None = None
) -> Issued:
    """Create a certificate for the names and addresses in `hosts`; `seed` as for `authority`."""
    parent = x509.load_pem_x509_certificate(issuer.certificate.encode())
    signer = serialization.load_pem_private_key(issuer.key.encode(), password=None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = _key(seed)
    builder = (
        _builder(hosts[0], parent.subject, key.public_key(), validity, seed)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(map(_general_name, hosts)), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    return _signed(builder, key, signer, seed)


def _key(seed: int | None) -> ec.EllipticCurvePrivateKey:
    curve = ec.SECP256R1()
    return ec.generate_private_key(curve) if seed is None else ec.derive_private_key(seed, curve)


def _builder(
    subject: str,
    issuer: str | x509.Name,
    key: ec.EllipticCurvePublicKey,
    validity: Validity,
    seed: int | None,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_named(subject))
        .issuer_name(_named(issuer) if isinstance(issuer, str) else issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number() if seed is None else seed)
        .not_valid_before(validity.begins)
        .not_valid_after(validity.ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _signed(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    seed: int | None,
) -> Issued:
    made = builder.sign(signer, hashes.SHA256(), ecdsa_deterministic=seed is not None or None)
    return Issued(
        made.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*uses: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{use: use in uses for use in _KEY_USES})


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return x509.DNSName(host)
