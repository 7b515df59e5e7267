"""The smaller parts of backup and restore."""

from __future__ import annotations

import contextlib
import io
import sqlite3
import subprocess
import sys
import tarfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from components.docker.engines import Engine
from ops import connections
from ops.backup import database, retention, stack
from ops.backup.backup_metric import BackupMetric
from ops.backup.errors import BackupError
from ops.backup.progress import Progress, human
from ops.backup.stack import Version
from tests import backup_archives as archives
from tests.backup_archives import entry

ROOT = Path(__file__).resolve().parents[2]
MOMENT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_archive_name_has_stack_and_utc_time() -> None:
    here = MOMENT.astimezone(timezone(timedelta(hours=3)))
    assert retention.archive_name("prod", here) == "vitalstream-prod-20260203T040506Z.tar"


def archive_files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def named(day: int, stack: str = "prod") -> str:
    return retention.archive_name(stack, MOMENT + timedelta(days=day))


def test_prune_keeps_the_newest_archives(tmp_path: Path) -> None:
    archive_files(tmp_path, *(named(day) for day in range(5)))
    gone = retention.remove_old(tmp_path, "prod", 2)
    assert left(tmp_path) == {named(3), named(4)}
    assert {path.name for path in gone} == {named(0), named(1), named(2)}


def test_prune_fewer_archives_than_limit_keeps_all(tmp_path: Path) -> None:
    archive_files(tmp_path, named(0))
    assert retention.remove_old(tmp_path, "prod", 2) == []


@pytest.mark.parametrize(
    "other",
    [
        named(0, "prod-eu"),
        named(0, "preprod"),
        named(0) + ".age",
        named(0) + ".partial",
        "vitalstream-prod-notes.tar",
    ],
)
def test_prune_keeps_other_files(other: str, tmp_path: Path) -> None:
    archive_files(tmp_path, other, named(1), named(2))
    retention.remove_old(tmp_path, "prod", 1)
    assert left(tmp_path) == {other, named(2)}


def test_prune_removes_files_of_a_killed_backup(tmp_path: Path) -> None:
    archive_files(tmp_path, named(0) + ".partial", named(0, "dev") + ".partial", named(1))
    retention.remove_partial(tmp_path, "prod")
    assert left(tmp_path) == {named(0, "dev") + ".partial", named(1)}


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("prometheus, version 2.42.0+ds (branch: debian/sid)", Version(2, 42)),
        ("prometheus, version 3.13.4 (branch: HEAD, revision: 1)", Version(3, 13)),
        ("alertmanager, version 0.25.0 (branch: debian/sid)", Version(0, 25)),
        ("grafana version 12.4.11", Version(12, 4)),
        ("Version 9.4.0-pre (commit: 8f3e9230, branch: main)", Version(9, 4)),
        ("v0.34.1", Version(0, 34)),
        ("no idea", None),
    ],
)
def test_version_is_parsed_from_each_services_output(said: str, version: Version | None) -> None:
    assert Version.of(said) == version


def test_backup_metrics_are_in_prometheus_format() -> None:
    text = BackupMetric("prod", MOMENT.timestamp(), 2**33, 12.5).text()
    samples = {
        sample.name: (sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples == {
        "vitalstream_backup_last_success_timestamp_seconds": (
            {"stack": "prod"},
            MOMENT.timestamp(),
        ),
        "vitalstream_backup_size_bytes": ({"stack": "prod"}, 2**33),
        "vitalstream_backup_duration_seconds": ({"stack": "prod"}, 12.5),
    }


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2e9, "2.0 GB"), (3e15, "3.0 PB")],
)
def test_size_is_printed_in_human_units(size: float, words: str) -> None:
    assert human(size) == words


def test_progress_without_terminal_prints_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 4.0, 11.0, 11.0, 12.0])
    monkeypatch.setattr("ops.backup.progress.time.monotonic", lambda: next(clock))
    out = io.StringIO()
    with Progress(Console(file=out, width=40)).transfer("prometheus", 3_000_000) as advance:
        for _ in range(3):
            advance(1_000_000)
    assert out.getvalue() == "prometheus: 2.0 MB of 3.0 MB\n"


def test_progress_on_terminal_shows_a_bar() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    with Progress(console).transfer("prometheus", 3_000_000) as advance:
        advance(3_000_000)
    assert "━" in out.getvalue()


def receive(name: str, content: bytes, folder: Path) -> None:
    member = entry(name, len(content))
    assert database.belongs(member)
    database.receive(member, io.BytesIO(content), folder)


def statements(path: Path, *texts: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for text in texts:
        connection.execute(text)
    return connection


def users(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute("SELECT login FROM user ORDER BY login")]


def test_database_with_journal_includes_its_changes(tmp_path: Path) -> None:
    """Copied while Grafana ran: the last user is in the write-ahead log alone."""
    live, copy = tmp_path / "live", tmp_path / "copy"
    live.mkdir()
    copy.mkdir()
    path = live / "grafana.db"
    with contextlib.closing(
        statements(
            path,
            "PRAGMA journal_mode=WAL",
            "CREATE TABLE user (login)",
            "INSERT INTO user VALUES ('ada')",
            "PRAGMA wal_checkpoint(TRUNCATE)",
            "INSERT INTO user VALUES ('grace')",
        )
    ):
        for found in live.iterdir():
            receive(found.name, found.read_bytes(), copy)
    settled = database.settle(copy)
    assert users(settled) == ["ada", "grace"]
    assert [found.name for found in copy.iterdir()] == ["grafana.db"]


def test_database_with_open_transaction_is_rolled_back(tmp_path: Path) -> None:
    live, copy = tmp_path / "live", tmp_path / "copy"
    live.mkdir()
    copy.mkdir()
    path = live / "grafana.db"
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<9999)"
    with contextlib.closing(
        statements(
            path,
            "CREATE TABLE user (login)",
            "INSERT INTO user VALUES ('ada')",
            "PRAGMA cache_size=1",
            "BEGIN",
            f"{rows} INSERT INTO user SELECT 'user ' || i FROM n",
            "DELETE FROM user WHERE login = 'ada'",
        )
    ):
        assert (live / "grafana.db-journal").stat().st_size > 0
        for found in live.iterdir():
            receive(found.name, found.read_bytes(), copy)
    assert users(database.settle(copy)) == ["ada"]


def test_database_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "grafana.db"
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<9999)"
    statements(
        path,
        "CREATE TABLE user (login)",
        f"{rows} INSERT INTO user SELECT 'user ' || i FROM n",
    ).close()
    content = bytearray(path.read_bytes())
    content[8192:20480] = b"\xff" * 12288
    path.write_bytes(content)
    with pytest.raises(BackupError, match="Grafana's database is damaged"):
        database.settle(tmp_path)


def test_volume_without_database_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"no grafana\.db"):
        database.settle(tmp_path)


@pytest.mark.parametrize("name", ["plugins/grafana.db", "plugins", "grafana.ini"])
def test_volume_with_other_files_finds_no_database(name: str) -> None:
    assert not database.belongs(entry(name))


def test_folder_with_database_name_is_ignored() -> None:
    assert not database.belongs(entry("grafana.db", type=tarfile.DIRTYPE))


def test_stack_host_is_that_of_its_settings(tmp_path: Path) -> None:
    declared = "config: {dockerHost: {type: string, default: 'unix:///var/run/docker.sock'}}"
    (tmp_path / "Pulumi.yaml").write_text(declared)
    (tmp_path / "Pulumi.far.yaml").write_text("config: {'vitalstream:dockerHost': ssh://me@far}")
    (tmp_path / "Pulumi.near.yaml").write_text("config: {}")
    hosts = {
        name: connections.main_engine(name, tmp_path).url for name in ("far", "near", "unknown")
    }
    assert hosts == {
        "far": "ssh://me@far",
        "near": "unix:///var/run/docker.sock",
        "unknown": "unix:///var/run/docker.sock",
    }


def test_stack_hosts_are_all_of_its_settings(tmp_path: Path) -> None:
    spread = {
        "vitalstream:dockerHost": "ssh://me@near",
        "vitalstream:hosts": {"far": {"docker": "tcp://10.0.0.2:2376", "certPath": "/certs"}},
        "vitalstream:placement": {"alertmanager-2": "far"},
    }
    (tmp_path / "Pulumi.yaml").write_text("config: {}")
    (tmp_path / "Pulumi.spread.yaml").write_text(yaml.safe_dump({"config": spread}))
    assert connections.engines("spread", tmp_path) == [
        Engine("ssh://me@near"),
        Engine("tcp://10.0.0.2:2376", "far", "/certs"),
    ]
    assert connections.engines("unknown", tmp_path) == [Engine("unix:///var/run/docker.sock")]
    assert connections.placement("spread", tmp_path) == {"alertmanager-2": "far"}


def test_backup_of_service_on_another_host_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    placed = {"alertmanager": "far", "prometheus-2": "far"}
    monkeypatch.setattr(connections, "placement", lambda _stack: placed)
    with pytest.raises(BackupError, match=r"^alertmanager of prod runs on another host"):
        stack.engine("prod")


def ops(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ops", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_restore_without_terminal_requires_yes(tmp_path: Path) -> None:
    done = ops("restore", str(archives.good(tmp_path / "a.tar")), "--stack", "prod")
    assert done.returncode == 1
    assert done.stderr == "error: No terminal to confirm on. Nothing was touched. fix: add --yes\n"


def test_backup_keep_zero_is_refused() -> None:
    done = ops("backup", "--stack", "prod", "--keep", "0")
    assert done.returncode == 2
    assert "--keep" in done.stderr
