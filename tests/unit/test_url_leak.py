"""Masking of a URL with a password that was pasted into a setting."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.docker import config_files_apply
from components.docker.connection import ConfigFilesError
from components.settings.warnings import warnings
from ops.review.diff import command
from ops.review.diff.command import Options
from ops.review.diff.options import Format
from ops.root import ROOT
from tests.unit import diff_stacks

PASSWORD = "Sup3rS3cretPw"
URL = f"postgres://app:{PASSWORD}@db.example.com:5432/vitals"
PROGRAM = (
    *("components", "templates", "rules", "__main__.py", "Pulumi.yaml"),
    *("ops/__init__.py", "ops/errors.py", "ops/root.py", "ops/offline", "ops/certs"),
)

PASTED: list[tuple[str, Any]] = [
    ("postgresAddress", URL),
    ("redisAddress", f"redis://:{PASSWORD}@cache:6379/0"),
    ("backendTargets", [f"prom:{PASSWORD}@api:8000"]),
    ("backendTargets", f'["http://prom:{PASSWORD}@api:8000"'),
    ("mailSmarthost", f"smtps://app:{PASSWORD}@mail.example.com:465"),
    ("publicUrls", {"grafana": f"https://app:{PASSWORD}@grafana.example.com"}),
    ("publicUrls", {f"https://app:{PASSWORD}@grafana.example.com": "https://x"}),
    ("imageRegistryMirror", f"https://app:{PASSWORD}@registry.example.com/mirror"),
    ("images", {"grafana": f"https://app:{PASSWORD}@registry.example.com/grafana:1"}),
    ("dockerHost", f"docker://app:{PASSWORD}@10.0.0.2"),
    ("hosts", {"two": {"docker": URL, "address": "10.0.0.2"}}),
    ("placement", {"prometheus": URL}),
    ("federation", [{"stack": "a", "target": f"https://app:{PASSWORD}@mon.example.com:9090"}]),
    ("remoteWrite", [{"name": "a", "url": f"https://app:{PASSWORD}@mimir.example.com/push"}]),
    ("remoteWrite", [{"name": "a", "url": f"https://mimir.example.com/push?token={PASSWORD}"}]),
    ("grafana", {"database": {"address": URL}}),
    ("thanos", {"bucket": "blocks", "endpoint": f"https://app:{PASSWORD}@s3.example.com"}),
    ("applicationNetworks", [URL]),
    ("postgresUser", URL),
    ("postgresDatabase", f"vitals?password={PASSWORD}"),
    ("grafanaAdminUser", f"app:{PASSWORD}@db"),
    ("mailFrom", f"mailto:app:{PASSWORD}@db:1"),
    ("alerts", {URL: {"enabled": False}}),
    ("extraRules", [URL]),
    ("dashboardsFolder", URL),
    ("keepMetrics", [f"({URL}"]),
    ("sloObjective", URL),
    ("retentionTime", URL),
    ("demo", URL),
    ("databaseUrl", URL),
    (f"postgres://app:{PASSWORD}@db", "1"),
    (f"app:{PASSWORD}@db", "1"),
]


@pytest.mark.parametrize(("key", "value"), PASTED)
def test_settings_error_of_a_pasted_url_shows_no_credentials(
    key: str, value: Any, refused: Callable[..., str]
) -> None:
    assert PASSWORD not in refused({key: value})


@pytest.mark.parametrize(
    ("key", "value", "commands"),
    [
        (
            "postgresAddress",
            f"{URL}?sslmode=require",
            [
                "postgresAddress db.example.com:5432",
                "postgresUser app",
                "postgresDatabase vitals",
                "postgresSslmode require",
                "--secret postgresPassword",
            ],
        ),
        ("postgresAddress", f"app:{PASSWORD}@db", ["postgresAddress db:5432", "postgresUser app"]),
        (
            "redisAddress",
            f"rediss://:{PASSWORD}@cache.example.com",
            [
                "--path 'servers.redis.default.address' cache.example.com:6379",
                "--path 'servers.redis.default.tls' true",
                "--secret --path 'servers.redis.default.password'",
            ],
        ),
        (
            "mailSmarthost",
            f"smtps://app:{PASSWORD}@mail.example.com",
            [
                "mailSmarthost mail.example.com:465",
                "mailUsername app",
                "--secret mailPassword",
            ],
        ),
        (
            "backendTargets",
            [f"https://{PASSWORD}@api:8443/metrics"],
            ["--path 'backendTargets[0]' api:8443"],
        ),
        (
            "imageRegistryMirror",
            f"https://app:{PASSWORD}@registry.example.com/mirror",
            ["imageRegistryMirror registry.example.com/mirror"],
        ),
        (
            "remoteWrite",
            [{"name": "a", "url": f"https://app:{PASSWORD}@m.example.com/push"}],
            [
                "--path 'remoteWrite[0].url' https://m.example.com/push",
                "--path 'remoteWrite[0].basic_auth.username' app",
                "--secret --path 'remoteWrite[0].basic_auth.password'",
            ],
        ),
    ],
)
def test_settings_error_of_a_pasted_url_has_the_settings_to_fill_from_it(
    key: str, value: Any, commands: list[str], refused: Callable[..., str]
) -> None:
    message = refused({key: value}, stack="prod")
    fix = " && ".join(f"pulumi config set {one} --stack prod" for one in commands)
    removed = "pulumi config rm redisAddress --stack prod && " if "tls" in fix else ""
    assert f"fix: {removed}{fix}" in message


def test_fix_of_redis_over_tls_proposes_a_server_with_tls(refused: Callable[..., str]) -> None:
    message = refused({"redisAddress": "rediss://cache.example.com:6380"}, stack="prod")
    assert "takes no TLS" in message
    assert "--path 'servers.redis.default.address' cache.example.com:6380" in message
    assert "--path 'servers.redis.default.tls' true" in message
    named = refused({"servers": {"redis": {"a": {"address": "rediss://b:6380"}}}}, stack="prod")
    assert "takes host:port" in named
    assert "--path 'servers.redis.a.tls' true" in named
    assert "config rm" not in named


@pytest.mark.parametrize("format_", list(Format))
def test_diff_of_settings_with_urls_on_both_sides_shows_no_credentials(
    format_: Format,
) -> None:
    """Compare settings that an older version accepted or that this one refuses."""
    before, after = (
        diff_stacks.with_settings_shown(
            postgresAddress=URL.replace("db.", f"{number}."),
            publicUrls={"grafana": URL, f"https://{PASSWORD}@{number}.example.com": number},
            teamsWebhookUrl=f"{PASSWORD}{number}",
            unknown=[{"password": f"{PASSWORD}{number}"}, f"a{number}:{PASSWORD}@b"],
            alerts={"X": {"reason": f"see postgres://a:{number} {PASSWORD}@db"}},
        )
        for number in "12"
    )
    found = command.deliver([diff_stacks.report(before, after)], Options("HEAD", format=format_))
    assert "postgresAddress" in found.printed
    assert "teamsWebhookUrl" in found.printed
    assert PASSWORD not in found.printed


def test_diff_command_of_two_refused_commits_shows_no_credentials(tmp_path: Path) -> None:
    """Compare two commits whose settings are both refused."""

    def git(*arguments: str) -> None:
        names = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
        subprocess.run(["git", *names, *arguments], cwd=root, check=True, capture_output=True)

    root = tmp_path / "project"
    root.mkdir()
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *PROGRAM],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    for path in filter(None, tracked):
        if (ROOT / path).is_file():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes((ROOT / path).read_bytes())
    (root / ".gitignore").write_text("__pycache__\n")
    git("init", "--quiet")
    for number in "12":
        config = {
            "vitalstream:postgresAddress": URL.replace("db.", f"{number}."),
            "vitalstream:redisAddress": f"redis://:{PASSWORD}{number}@cache:6379",
            "vitalstream:databaseUrl": f"{URL}{number}",
        }
        (root / "Pulumi.prod.yaml").write_text(yaml.safe_dump({"config": config}))
        git("add", ".")
        git("commit", "--quiet", "--message", number)
    for format_ in Format:
        outcome = command.run(Options(base="HEAD~1", root=root, format=format_))
        assert "postgresAddress" in outcome.printed
        assert PASSWORD not in outcome.printed


def test_config_files_error_masks_credentials() -> None:
    assert PASSWORD not in str(ConfigFilesError(f"no route to {URL}"))


def test_checker_refusal_masks_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mask credentials in checker output, which quotes the file."""

    class Judging:
        def check(self, *_arguments: Any) -> str:
            return f"FAILED: parsing {json.dumps(URL)}"

    monkeypatch.setattr(config_files_apply, "_volume", lambda *_arguments: Judging())
    props = {"checker": ["promtool"], "files": {}, "secret_files": {}}
    refusal = config_files_apply._refusal(props, None)  # type: ignore[arg-type]
    assert refusal is not None
    assert "FAILED" in refusal
    assert PASSWORD not in refusal


def test_warning_of_a_preview_masks_credentials(settings: Callable[..., Any]) -> None:
    reason = f"moved to {URL}"
    found = list(
        warnings(settings(alerts={"HighFailedLogins": {"enabled": False, "reason": reason}}))
    )
    assert any("moved to postgres://" in warning for warning in found)
    assert not any(PASSWORD in warning for warning in found)
