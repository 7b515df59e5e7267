"""`make certs`: files created, files kept, and the printed next steps."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from components.common import certificates
from components.settings import loader
from ops.certs import certs
from ops.errors import OpsError
from ops.root import ROOT
from tests.unit.conftest import SECRETS

FILES = {"ca.key", "ca.pem", "certificate.pem", "key.pem"}
SERVICES = ("prometheus", "grafana", "alertmanager", "node-exporter", "postgres-exporter")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(certs, "PRIVATE", tmp_path / ".vitalstream")
    return tmp_path / ".vitalstream" / "certs" / "prod"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def make(folder: Path, said: list[str]) -> Callable[..., None]:
    def run(*, renew: bool = False, set_: bool = False) -> None:
        certs.run("prod", said.append, renew=renew, set_=set_)

    return run


def texts(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in sorted(FILES)}


def test_make_creates_ca_and_certificate_with_keys(make: Callable[..., None], folder: Path) -> None:
    make()
    assert {path.name for path in folder.iterdir()} == FILES


def test_files_are_readable_only_by_their_owner(make: Callable[..., None], folder: Path) -> None:
    make()
    make(renew=True)
    modes = {path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert (modes, folder.stat().st_mode & 0o777) == ({0o600}, 0o700)


def test_files_are_ignored_by_git() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "-q", ".vitalstream/certs/prod/ca.key"],
        cwd=ROOT,
        check=False,
    )
    assert ignored.returncode == 0


def test_files_are_accepted_by_the_settings(make: Callable[..., None], folder: Path) -> None:
    make()
    required = ("grafanaAdminPassword", "postgresPassword", "webPassword")
    values = {key: SECRETS[key] for key in required} | {"tls": "true"}
    values |= {key: (folder / name).read_text() for key, name in certs.FILES.items()}
    assert loader.parse("prod", values, {*required, "tlsKey"}).tls


@pytest.mark.parametrize("host", [*SERVICES, "redis-exporter", "localhost", "127.0.0.1"])
def test_certificate_covers_every_service_and_this_machine(
    host: str, make: Callable[..., None], folder: Path
) -> None:
    make()
    assert certificates.covers((folder / "certificate.pem").read_text(), host)


def test_certificate_covers_the_hosts_of_the_stack(
    make: Callable[..., None], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed = {"bindAddress": "192.0.2.7", "publicHost": "mon.example.com"}
    monkeypatch.setattr("ops.offline.program.committed_values", lambda _stack: committed)
    make()
    text = (folder / "certificate.pem").read_text()
    assert [certificates.covers(text, host) for host in committed.values()] == [True, True]


def test_certificate_lasts_one_year_and_ca_ten(make: Callable[..., None], folder: Path) -> None:
    make()
    ends = {
        name: certificates.expiry((folder / name).read_text()) - datetime.now(UTC)
        for name in ("ca.pem", "certificate.pem")
    }
    assert timedelta(days=390) < ends["certificate.pem"] < timedelta(days=398)
    assert timedelta(days=3640) < ends["ca.pem"] < timedelta(days=3651)


def test_make_existing_files_are_kept(
    make: Callable[..., None], folder: Path, said: list[str]
) -> None:
    make()
    before = texts(folder)
    said.clear()
    make()
    assert texts(folder) == before
    assert "There is a certificate in " in said[0]
    assert "`RENEW=1` makes a new one" in said[0]


def test_renew_keeps_the_ca_and_changes_the_key(make: Callable[..., None], folder: Path) -> None:
    make()
    before = texts(folder)
    make(renew=True)
    changed = {name for name, text in texts(folder).items() if text != before[name]}
    assert changed == {"certificate.pem", "key.pem"}


def test_renew_keeps_a_copy_of_the_old_files(make: Callable[..., None], folder: Path) -> None:
    make()
    before = texts(folder)
    make(renew=True)
    assert (folder / "key.pem.old").read_text() == before["key.pem"]


def test_renewed_certificate_is_signed_by_the_ca(make: Callable[..., None], folder: Path) -> None:
    make()
    make(renew=True)
    found = texts(folder)
    problems = certificates.certificate_problems(found["certificate.pem"], found["ca.pem"], [])
    assert list(problems) == []


def test_hosts_missing_in_certificate_are_reported(
    make: Callable[..., None], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    later = {"bindAddress": "127.0.0.1", "publicHost": "mon.example.com"}
    monkeypatch.setattr("ops.offline.program.committed_values", lambda _stack: later)
    make()
    assert "It is not for mon.example.com: renew it." in said


def test_renew_with_expiring_ca_is_refused(
    make: Callable[..., None], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certs, "AUTHORITY_DAYS", 300)
    make()
    with pytest.raises(OpsError, match=r"The authority ends on \d{4}-.* make a new one"):
        make(renew=True)


def test_missing_authority_is_reported(make: Callable[..., None], folder: Path) -> None:
    make()
    (folder / "ca.pem").unlink()
    with pytest.raises(OpsError, match=r"ca\.pem: No such file"):
        make(renew=True)


def test_commands_to_set_certificates_are_printed(
    make: Callable[..., None], folder: Path, said: list[str]
) -> None:
    make()
    assert [line.strip() for line in said[-3:]] == [
        f"pulumi config set tlsCa --stack prod < {folder}/ca.pem",
        f"pulumi config set tlsCertificate --stack prod < {folder}/certificate.pem",
        f"pulumi config set --secret tlsKey --stack prod < {folder}/key.pem",
    ]


def test_output_contains_no_key(make: Callable[..., None], said: list[str]) -> None:
    make()
    assert "PRIVATE KEY" not in "\n".join(said)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fake Pulumi CLI that records its arguments and input."""
    heard, path = tmp_path / "heard", tmp_path / "pulumi"
    path.write_text(f'#!/bin/sh\n{{ echo "$@"; cat; }} >>{shlex.quote(str(heard))}\n')
    path.chmod(0o755)
    monkeypatch.setattr("ops.demo.pulumi_cli.find", lambda: str(path))
    return heard


def test_make_with_set_runs_the_commands(
    make: Callable[..., None], folder: Path, cli: Path
) -> None:
    make(set_=True)
    found = texts(folder)
    assert cli.read_text() == (
        f"config set tlsCa --stack prod --non-interactive\n{found['ca.pem']}"
        f"config set tlsCertificate --stack prod --non-interactive\n{found['certificate.pem']}"
        f"config set --secret tlsKey --stack prod --non-interactive\n{found['key.pem']}"
    )


def test_set_without_cli_is_reported(
    make: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.demo.pulumi_cli.find", lambda: None)
    with pytest.raises(OpsError, match="no Pulumi CLI here"):
        make(set_=True)


def test_cli_error_is_reported(make: Callable[..., None], tmp_path: Path, cli: Path) -> None:
    (tmp_path / "pulumi").write_text("#!/bin/sh\necho 'error: no stack named prod' >&2; exit 1\n")
    with pytest.raises(OpsError, match=r"`pulumi config set tlsCa .*` failed: no stack named"):
        make(set_=True)
