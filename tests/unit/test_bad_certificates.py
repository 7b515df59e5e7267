"""Wrong certificates, keys and authorities: each refused in its own words, with the way out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from components.settings.settings import Settings
from tests.issued import HOUR, issued, validity
from tests.unit.conftest import SECRETS
from tests.unit.made_certificates import (
    LOOPBACK,
    Values,
    authority,
    below_an_intermediate,
    by_hand,
    expired_authority,
    for_loopback,
    good,
    p256,
    pem,
    signed,
    signed_by_a_server,
    with_,
)

PASSWORD = SECRETS["webPassword"]
SECRET_KEYS = {*SECRETS}

# What, its settings, which of them is at fault, and what the message must say.
WRONG: list[tuple[str, Callable[[], Values], str, str]] = [
    ("no authority", lambda: {}, "tlsCa", "is missing, and with it tlsCertificate and tlsKey"),
    ("no certificate", lambda: with_(tlsCertificate="", tlsKey=""), "tlsCertificate", "is missing"),
    ("no key", lambda: with_(tlsKey=""), "tlsKey", "is missing: tls is on"),
    ("no password", lambda: with_(webPassword=""), "webPassword", "then ask for a password"),
    ("authority no PEM", lambda: with_(tlsCa="ca.pem"), "tlsCa", "is not a certificate in PEM"),
    (
        "authority cut off",
        lambda: with_(tlsCa=good()["tlsCa"][:-90]),
        "tlsCa",
        "is not a certificate in PEM",
    ),
    (
        "authority with its key",
        lambda: with_(tlsCa=authority().certificate + authority().key),
        "tlsCa",
        "has a private key in it, which is a secret",
    ),
    (
        "a server for an authority",
        lambda: with_(tlsCa=good()["tlsCertificate"]),
        "tlsCa",
        "has the certificate CN=127.0.0.1, which is not a CA",
    ),
    ("authority expired", expired_authority, "tlsCa", "has expired: CN=old was valid until "),
    (
        "certificate no PEM",
        lambda: with_(tlsCertificate="MIIB"),
        "tlsCertificate",
        "is not a certificate in PEM",
    ),
    (
        "certificate with its key",
        lambda: with_(tlsCertificate=good()["tlsCertificate"] + good()["tlsKey"]),
        "tlsCertificate",
        "has a private key in it",
    ),
    (
        "certificate expired",
        lambda: issued(LOOPBACK, validity(-2 * HOUR, -HOUR)),
        "tlsCertificate",
        "has expired: CN=127.0.0.1 was valid until ",
    ),
    (
        "certificate of tomorrow",
        lambda: issued(LOOPBACK, validity(HOUR)),
        "tlsCertificate",
        "is not valid yet: CN=127.0.0.1 begins on ",
    ),
    (
        "another address",
        lambda: issued(["192.0.2.1", "localhost"]),
        "tlsCertificate",
        "is not for 127.0.0.1: its subject alternative names are localhost, 192.0.2.1",
    ),
    (
        "another name",
        lambda: issued(["mon.example.com"]) | {"publicHost": "mon.example.org"},
        "tlsCertificate",
        "is not for mon.example.org",
    ),
    (
        "a star for two labels",
        lambda: issued(["*.example.com"]) | {"publicHost": "a.mon.example.com"},
        "tlsCertificate",
        "is not for a.mon.example.com",
    ),
    (
        "a common name alone",
        lambda: signed(p256()),
        "tlsCertificate",
        "are none, and a common name does not count",
    ),
    (
        "for clients",
        lambda: signed(
            p256(), for_loopback(), x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        ),
        "tlsCertificate",
        "is not for servers",
    ),
    (
        "another authority's",
        lambda: with_(tlsCa=authority().certificate),
        "tlsCertificate",
        "is not signed by an authority of tlsCa, with the intermediate certificates that follow "
        "it: it was issued by CN=VitalStream tests",
    ),
    (
        "without its intermediate",
        lambda: below_an_intermediate(given=False),
        "tlsCertificate",
        "it was issued by CN=between",
    ),
    ("signed by a server", signed_by_a_server, "tlsCertificate", "it was issued by CN=a server"),
    (
        "signed by itself",
        lambda: with_(tlsCertificate=by_hand(p256(), for_loopback())),
        "tlsCertificate",
        "it was issued by CN=by hand",
    ),
    (
        "a short RSA key",
        lambda: signed(rsa.generate_private_key(65537, 1024), for_loopback()),
        "tlsCertificate",
        "has a weak key: RSA with 1024 bits, 2048 are the least",
    ),
    (
        "an unusual curve",
        lambda: signed(ec.generate_private_key(ec.SECP256K1()), for_loopback()),
        "tlsCertificate",
        "has a key on secp256k1 that browsers or servers do not take",
    ),
    (
        "Ed25519",
        lambda: signed(ed25519.Ed25519PrivateKey.generate(), for_loopback()),
        "tlsCertificate",
        "has a key that browsers or servers do not take",
    ),
    (
        "another key",
        lambda: with_(tlsKey=pem(p256())),
        "tlsKey",
        "does not belong to tlsCertificate: the two have different public keys",
    ),
    ("key no PEM", lambda: with_(tlsKey="canary"), "tlsKey", "is not a private key in PEM"),
    (
        "a certificate for a key",
        lambda: with_(tlsKey=good()["tlsCertificate"]),
        "tlsKey",
        "is not a private key in PEM",
    ),
    (
        "an encrypted key",
        lambda: with_(tlsKey=pem(p256(), b"passphrase")),
        "tlsKey",
        "is encrypted with a passphrase, which no server could be given",
    ),
    (
        "a weak key alone",
        lambda: with_(tlsKey=pem(rsa.generate_private_key(65537, 1024))),
        "tlsKey",
        "has a weak key: RSA with 1024 bits",
    ),
]


def _settings(values: Values) -> Values:
    return {"tls": "true", "webPassword": PASSWORD, **values}


def _line_on(key: str, message: str) -> str:
    return next(line for line in message.splitlines() if f"vitalstream:{key}" in line)


every_wrong = pytest.mark.parametrize(
    ("values", "key", "words"),
    [row[1:] for row in WRONG],
    ids=[row[0] for row in WRONG],
)


@every_wrong
def test_invalid_certificate_is_refused_with_a_reason(
    values: Callable[[], Values], key: str, words: str, refused: Callable[..., str]
) -> None:
    assert words in _line_on(key, refused(_settings(values())))


@every_wrong
def test_invalid_certificate_message_has_a_command(
    values: Callable[[], Values], key: str, words: str, refused: Callable[..., str]
) -> None:
    _, _, fix = _line_on(key, refused(_settings(values()), stack="prod")).partition("; fix: ")
    assert fix.startswith(("pulumi config set ", "`make certs STACK=prod"))


@every_wrong
def test_invalid_certificate_message_hides_pem(
    values: Callable[[], Values], key: str, words: str, refused: Callable[..., str]
) -> None:
    message = refused(_settings(values()))
    assert ("BEGIN CERTIFICATE-----\\n" in message, "BEGIN PRIVATE KEY-----\\n" in message) == (
        False,
        False,
    )


def test_missing_certificates_are_one_problem_with_one_fix(
    refused: Callable[..., str],
) -> None:
    message = refused(_settings({}), stack="prod")
    assert message.count("  vitalstream:") == 1
    assert "fix: `make certs STACK=prod` makes an authority, a certificate and its key" in message


def test_every_problem_of_one_certificate_is_reported(refused: Callable[..., str]) -> None:
    message = refused(_settings(issued(["192.0.2.1"], validity(-2 * HOUR, -HOUR))))
    assert ("has expired" in message, "is not for 127.0.0.1" in message) == (True, True)


RIGHT: dict[str, Callable[[], Values]] = {
    "for an address": good,
    "by a star": lambda: issued(["*.example.com"]) | {"publicHost": "mon.example.com"},
    "by an intermediate": lambda: below_an_intermediate(given=True),
    "RSA with 2048 bits": lambda: signed(rsa.generate_private_key(65537, 2048), for_loopback()),
    "P-384": lambda: signed(ec.generate_private_key(ec.SECP384R1()), for_loopback()),
    "two authorities": lambda: with_(tlsCa=authority().certificate + good()["tlsCa"]),
    "without the last line break": lambda: {key: text.strip() for key, text in good().items()},
    "in capitals": lambda: issued(["MON.example.com"]) | {"publicHost": "mon.EXAMPLE.com"},
}


@pytest.mark.parametrize("values", RIGHT.values(), ids=RIGHT)
def test_valid_certificate_is_accepted(
    values: Callable[[], Values], settings: Callable[..., Settings]
) -> None:
    assert settings(**_settings(values())).tls
