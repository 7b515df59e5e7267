"""Certificates for stacks under test, good ones and every kind of bad one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ops.certs import ca

HOUR = timedelta(hours=1)
YEAR = timedelta(days=365)


def validity(begins: timedelta = -HOUR, ends: timedelta = YEAR) -> ca.Validity:
    """Return a validity relative to now."""
    now = datetime.now(UTC)
    return ca.Validity(now + begins, now + ends)


def issued(
    hosts: Sequence[str], lasts: ca.Validity | None = None, by: ca.Issued | None = None
) -> dict[str, str]:
    """Return the three TLS settings, with a certificate of a new or the given authority."""
    authority = by or ca.authority("VitalStream tests", validity())
    made = ca.server(authority, hosts, lasts or validity())
    return {
        "tlsCa": authority.certificate,
        "tlsCertificate": made.certificate,
        "tlsKey": made.key,
    }
