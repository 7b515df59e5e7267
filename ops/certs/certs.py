"""`make certs`: a private authority and a certificate for a stack, for those who have none."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from components.common import certificates
from components.settings.tls import served_by
from ops.certs import ca
from ops.demo import pulumi_cli
from ops.dev_machine import PRIVATE, Report
from ops.errors import OpsError
from ops.offline import program
from ops.root import ROOT

AUTHORITY_DAYS = 3650
# What every browser still takes, also of a private authority.
CERTIFICATE_DAYS = 397
# The clocks of the machines that look at it may be a little behind.
EARLIER = timedelta(hours=1)
FILES = {"tlsCa": "ca.pem", "tlsCertificate": "certificate.pem", "tlsKey": "key.pem"}
"""File in a stack's folder for each TLS setting."""
AUTHORITY_KEY = "ca.key"


@dataclass(frozen=True)
class Folder:
    """Stack's CA and certificate on this machine, readable by their owner alone."""

    stack: str
    path: Path

    @classmethod
    def of(cls, stack: str) -> Folder:
        return cls(stack, PRIVATE / "certs" / stack)

    @property
    def exists(self) -> bool:
        return (self.path / AUTHORITY_KEY).exists()

    def text(self, name: str) -> str:
        """Return a file's content. Raises OpsError."""
        try:
            return (self.path / name).read_text()
        except OSError as error:
            raise OpsError(f"{_shown(self.path / name)}: {error.strerror}.") from None

    def make(self, hosts: list[str]) -> None:
        """Create a CA and a certificate."""
        authority = ca.authority(f"VitalStream {self.stack} authority", _from_now(AUTHORITY_DAYS))
        self._write(AUTHORITY_KEY, authority.key)
        self._write(FILES["tlsCa"], authority.certificate)
        self._issue(authority, hosts)

    def renew(self, hosts: list[str]) -> None:
        """Create a certificate with a new key, signed by the existing CA. Raises OpsError."""
        authority = ca.Issued(self.text(FILES["tlsCa"]), self.text(AUTHORITY_KEY))
        ends = certificates.expiry(authority.certificate)
        if ends < _from_now(CERTIFICATE_DAYS).ends:
            raise OpsError(
                f"The authority ends on {ends:%Y-%m-%d}, before a new certificate would: move "
                f"{_shown(self.path)} away and make a new one. All clients then need its ca.pem."
            )
        self._issue(authority, hosts)

    def _issue(self, authority: ca.Issued, hosts: list[str]) -> None:
        made = ca.server(authority, hosts, _from_now(CERTIFICATE_DAYS))
        self._write(FILES["tlsKey"], made.key)
        self._write(FILES["tlsCertificate"], made.certificate)

    def _write(self, name: str, text: str) -> None:
        PRIVATE.mkdir(mode=0o700, exist_ok=True)
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path, new = self.path / name, self.path / f".{name}"
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        if path.exists():
            path.rename(self.path / f"{name}.old")
        new.rename(path)


def run(stack: str, report: Report, *, renew: bool, set_: bool) -> None:
    """Makes or renews a stack's certificate and says, or with `set_` does, what is to be set.

    What is there is not made again without `renew`. Raises OpsError and ProgramError.
    """
    folder = Folder.of(stack)
    values = program.committed_values(stack)
    hosts = served_by(values)
    if not folder.exists:
        folder.make(hosts)
        report(f"An authority and a certificate for {', '.join(hosts)} in {_shown(folder.path)}.")
        report(
            "Whoever has ca.key there can pose as every service: keep it from others, and do not "
            "lose it. People's browsers need ca.pem."
        )
    elif renew:
        folder.renew(hosts)
        report(f"A new certificate for {', '.join(hosts)} in {_shown(folder.path)}; the one before")
        report("is kept with the ending .old.")
    else:
        _report_existing(folder, hosts, report)
    if set_:
        _set(folder, report)
    else:
        report("To give it to the stack (or have it done: `SET=1`), and then `pulumi up`:")
        for key, name in FILES.items():
            report(f"  {_command(stack, key)} < {shlex.quote(_shown(folder.path / name))}")


def _report_existing(folder: Folder, hosts: list[str], report: Report) -> None:
    """Report the certificate that is kept, and the hosts that it does not cover."""
    certificate = folder.text(FILES["tlsCertificate"])
    report(
        f"There is a certificate in {_shown(folder.path)}, valid until "
        f"{certificates.expiry(certificate):%Y-%m-%d}; `RENEW=1` makes a new one by its authority."
    )
    if missing := [host for host in hosts if not certificates.covers(certificate, host)]:
        report(f"It is not for {', '.join(missing)}: renew it.")


def _set(folder: Folder, report: Report) -> None:
    cli = pulumi_cli.find()
    if cli is None:
        raise OpsError("There is no Pulumi CLI here to set the stack's configuration with.")
    for key, name in FILES.items():
        command = _command(folder.stack, key)
        done = pulumi_cli.run(cli, *shlex.split(command)[1:], stdin=folder.text(name))
        if done.returncode != 0:
            raise OpsError(f"`{command}` failed: {pulumi_cli.error_of(done)}")
    report(
        f"{', '.join(FILES)} are set in Pulumi.{folder.stack}.yaml; `pulumi up` puts them to use."
    )


def _command(stack: str, key: str) -> str:
    secret = "--secret " if key == "tlsKey" else ""
    return f"pulumi config set {secret}{key} --stack {stack}"


def _from_now(days: int) -> ca.Validity:
    now = datetime.now(UTC)
    return ca.Validity(now - EARLIER, now + timedelta(days=days))


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
