"""Estimates of `python -m ops size` for a load, and the settings that follow from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from components.common.quantities import memory_mebibytes, size_bytes
from components.settings.settings import Settings
from ops import __main__ as ops_main
from ops.root import ROOT
from ops.size import command, measured
from ops.size.current import current
from ops.size.demand import GIBIBYTE, MEBIBYTE, Demand, Load

DAY = 86_400


def demand(series: int = 30_000, **more: float) -> Demand:
    return Demand(Load(series, **{"interval": 15, "retention": 30 * DAY, **more}))


def ops(*arguments: str) -> Result:
    return CliRunner().invoke(ops_main.app, ["size", *arguments])


def as_json(*arguments: str) -> dict[str, Any]:
    done = ops(*arguments, "--format", "json")
    assert done.exit_code == 0, done.exception
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_samples_a_second_are_series_per_interval() -> None:
    assert demand(30_000, interval=15).samples_a_second == 2000


def test_disk_follows_prometheus_formula() -> None:
    assert demand(30_000).needed_disk_space == 30 * DAY * 2000 * measured.SAMPLE_BYTES


def test_oldest_block_is_a_tenth_of_the_retention() -> None:
    assert demand().oldest_block_bytes == demand().needed_disk_space / 10


def test_oldest_block_spans_at_most_31_days() -> None:
    assert (
        demand(retention=1000 * DAY).oldest_block_bytes == 31 * DAY * 2000 * measured.SAMPLE_BYTES
    )


def test_head_disk_is_independent_of_the_retention() -> None:
    assert demand(retention=DAY).head_disk_bytes == demand(retention=90 * DAY).head_disk_bytes


def test_disk_with_double_interval_is_half() -> None:
    assert demand(interval=30).disk_bytes == pytest.approx(demand(interval=15).disk_bytes / 2)


def test_memory_is_independent_of_the_interval() -> None:
    assert demand(interval=30).resident_bytes == demand(interval=15).resident_bytes


def test_memory_grows_by_a_constant_per_series() -> None:
    more = demand(30_001).resident_bytes - demand(30_000).resident_bytes
    assert more == pytest.approx(measured.SERIES_MEMORY)


def test_cpu_grows_with_samples_only() -> None:
    assert demand(interval=30).cores == pytest.approx(demand(interval=15).cores / 2)
    assert demand(retention=DAY).cores == demand(retention=90 * DAY).cores


def test_cpu_limit_is_twice_the_load() -> None:
    found = demand(1_000_000)
    assert found.cores <= found.cpus / 2


def test_churned_series_stay_in_memory_for_three_hours() -> None:
    assert demand(10_000, churn=0.1).head_series == 13_000


def test_churn_does_not_change_samples_a_second() -> None:
    assert demand(churn=0.5).samples_a_second == demand().samples_a_second


@pytest.mark.parametrize("series", [1, 10_000, 100_000, 123_456, 2_000_000])
def test_memory_limit_is_a_valid_setting_above_the_load(series: int) -> None:
    found = demand(series)
    assert memory_mebibytes(found.memory) * MEBIBYTE >= found.resident_bytes * measured.PEAK


@pytest.mark.parametrize("series", [1, 10_000, 2_000_000])
def test_retention_size_does_not_trigger_storage_alert(series: int) -> None:
    found = demand(series)
    assert size_bytes(found.retention_size) * 0.9 >= found.disk_bytes


def test_storage_alert_fires_at_the_formulas_size() -> None:
    assert "expr: 100 * instance:prometheus_storage:ratio > 90" in (
        ROOT / "rules" / "monitoring.yml"
    ).read_text("utf-8")


def test_size_without_stack_uses_the_defaults() -> None:
    found = current(None)
    fields = Settings.model_fields
    assert (found.interval, found.retention) == (
        fields["scrape_interval"].default,
        fields["retention_time"].default,
    )


def test_size_with_stack_uses_its_interval_and_retention() -> None:
    found = as_json("--series", "10000", "--stack", "prod")
    assert (found["interval_seconds"], found["retention_seconds"]) == (15, 30 * DAY)


def test_size_options_override_the_stack() -> None:
    found = as_json("--series", "10000", "--stack", "prod", "--interval", "30s")
    assert (found["interval_seconds"], found["retention_seconds"]) == (30, 30 * DAY)


def test_size_with_stack_compares_with_its_limits(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    (tmp_path / "Pulumi.big.yaml").write_text(
        "config:\n  vitalstream:limits:\n    prometheus: {memory: 8g}\n"
    )
    assert current("big", tmp_path).memory == "8g"


def test_size_with_replicas_multiplies_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    (tmp_path / "Pulumi.pair.yaml").write_text("config:\n  vitalstream:prometheus: {replicas: 2}\n")
    now = current("pair", tmp_path)
    monkeypatch.setattr(command, "current", lambda _stack: now)
    found = as_json("--series", "400000", "--stack", "pair")
    assert found["disk"]["volumes_gibibytes"] == 2 * found["disk"]["volume_gibibytes"]
    output = ops("--series", "400000", "--stack", "pair").stdout
    assert f"{found['disk']['volumes_gibibytes']:,} GiB of disk" in output
    assert "There are 2 Prometheuses" in output


def test_size_small_load_lists_no_setting() -> None:
    done = ops("--series", "500", "--retention", "7d")
    assert "What is set is enough." in done.stdout


def test_size_large_load_lists_the_commands() -> None:
    done = ops("--series", "400000", "--stack", "prod")
    wanted = as_json("--series", "400000", "--stack", "prod")["settings"]
    memory, disk = wanted["limits.prometheus.memory"], wanted["retentionSize"]
    assert f"pulumi config set --path 'limits.prometheus.memory' {memory} --stack prod" in (
        done.stdout
    )
    assert f"pulumi config set retentionSize {disk} --stack prod" in done.stdout


def test_size_lists_only_settings_that_are_too_small() -> None:
    found = as_json("--series", "30000", "--retention", "1y")
    assert set(found["settings"]) == {"retentionSize"}


def test_size_above_sample_limit_asks_for_more_targets() -> None:
    assert as_json("--series", "100001")["targets_at_least"] == 3


def test_load_beyond_measurements_is_marked() -> None:
    most = str(measured.MOST_SERIES + 1)
    assert as_json("--series", most)["beyond_what_was_measured"]
    assert "were measured" in ops("--series", most).stdout


def test_size_shares_are_of_the_set_limits() -> None:
    found = as_json("--series", "30000", "--retention", "30d")
    assert found["disk"]["share"] == pytest.approx(demand().disk_bytes / (10 * GIBIBYTE), abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--series", "0"), "--series 0: a Prometheus with no series needs no size"),
        (("--series", "-5"), "--series -5: a Prometheus with no series needs no size"),
        (("--series", "2000000000"), "is more than 1000000000, which no one Prometheus holds"),
        (("--series", "5", "--interval", "5m"), "--interval 5m is longer than 2m"),
        (("--series", "5", "--interval", "500ms"), "--interval 500ms is shorter than 1s"),
        (("--series", "5", "--interval", "0s"), "--interval 0s is shorter than 1s"),
        (("--series", "5", "--interval", "15"), "--interval '15' is not a Prometheus duration"),
        (("--series", "5", "--interval", ""), "--interval '' is not a Prometheus duration"),
        (("--series", "5", "--retention", "1 month"), "'1 month' is not a Prometheus duration"),
        (("--series", "5", "--retention", "1h"), "--retention 1h is shorter than 2h"),
        (("--series", "5", "--retention", "300y"), "is longer than the 292 years"),
        (("--series", "5", "--churn", "-1"), "--churn -1 is not from 0 to 10000"),
        (("--series", "5", "--churn", "nan"), "--churn nan is not from 0 to 10000"),
        (("--series", "5", "--sample-bytes", "0"), "--sample-bytes 0 is not from 0.1 to 16"),
        (("--series", "5", "--stack", "nope"), "There is no stack file Pulumi.nope.yaml"),
    ],
)
def test_invalid_options_are_reported(arguments: tuple[str, ...], words: str) -> None:
    done = ops(*arguments)
    assert words in str(done.exception)


def test_size_error_is_one_line_with_exit_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["ops", "size", "--series", "0"])
    with pytest.raises(SystemExit) as ended:
        ops_main.run()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("error: --series 0: ")


def test_blocks_with_double_sample_bytes_are_double() -> None:
    thin, thick = (demand(sample_bytes=found).needed_disk_space for found in (1, 2))
    assert thick == 2 * thin


def test_size_text_matches_the_json() -> None:
    arguments = ("--series", "100000", "--churn", "10")
    found, text = as_json(*arguments), ops(*arguments).stdout
    assert f"{found['samples_a_second']:,.0f} a second" in text
    assert f"{found['head_series']:,} series in memory" in text
    assert f"{found['memory']['share']:.0%} of limits.prometheus.memory" in text
    assert f"{found['disk']['share']:.0%} of retentionSize" in text


@pytest.mark.parametrize(
    ("series", "key", "more"),
    [
        (135_000, "limits.prometheus.memory", ()),
        (65_000, "retentionSize", ()),
        (80_000, "retentionSize", ("--stack", "prod")),
    ],
)
def test_page_capacity_matches_the_formulas(series: int, key: str, more: tuple[str, ...]) -> None:
    page = (ROOT / "docs" / "operations" / "scaling.md").read_text("utf-8")
    assert f"{series:,}" in page.partition("##")[0]
    assert key not in as_json("--series", str(series), *more)["settings"]
    assert key in as_json("--series", str(round(1.1 * series)), *more)["settings"]


def test_page_example_matches_the_output() -> None:
    page = (ROOT / "docs" / "operations" / "scaling.md").read_text("utf-8")
    assert f"```text\n{ops('--series', '150000', '--stack', 'prod').stdout}```" in page


def test_page_constants_match_the_code() -> None:
    page = (ROOT / "docs" / "operations" / "scaling.md").read_text("utf-8")
    base, series = measured.BASE_MEMORY / 1e6, measured.SERIES_MEMORY
    assert f"{base:g} MB + {series:,.0f} B " in page
    assert f"{measured.PEAK:g}, rounded up to 256 MiB |" in page
    assert f"| bytes a sample | {measured.SAMPLE_BYTES:g} |" in page
    assert f"({measured.WAL_SAMPLE_BYTES:g} + bytes a sample)" in page
    assert f"{1e6 * measured.SAMPLE_CPU_SECONDS:g} µs" in page
