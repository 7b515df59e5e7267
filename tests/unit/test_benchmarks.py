"""Figures of the benchmarks, and the Compose project that is the baseline."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks import commits, program
from benchmarks.compose_project import compose_file
from benchmarks.figures import Figure, Report
from benchmarks.measurements import without_file_cache
from benchmarks.projects import BenchmarkError
from benchmarks.rule_edit import EXPRESSION, RULE, RULE_FILE
from benchmarks.stack import configuration
from ops.offline.local_deploy.plan import CONTAINER
from ops.offline.program import Registration, StackConfig, run
from ops.root import ROOT


@pytest.fixture(scope="module")
def registrations() -> list[Registration]:
    return run("dev", StackConfig.of_stack("dev"))


@pytest.fixture(scope="module")
def composed(
    registrations: list[Registration], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    return compose_file(registrations, tmp_path_factory.mktemp("compose"))


def figure(*samples: float, **more: Any) -> Figure:
    return Figure("second up", samples, "s", **more)


def test_ratio_is_the_median_of_the_rounds_ratios() -> None:
    beside = figure(2, 30, 4, baseline=(1, 10, 1), baseline_name="empty")
    assert beside.ratio == 3


def test_met_with_ratio_at_the_target_is_true() -> None:
    assert figure(2, baseline=(1,), target=2).met


def test_met_with_ratio_above_the_target_is_false() -> None:
    assert figure(2.1, baseline=(1,), target=2).met is False


def test_met_without_baseline_compares_the_median() -> None:
    assert figure(2.1, target=2).met is False


def test_met_without_target_is_none() -> None:
    assert figure(1).met is None


def test_met_with_fault_is_false() -> None:
    assert figure(1, target=2, fault="a scrape was missed").met is False


def test_verdict_names_the_fault() -> None:
    missed = figure(1, target=2, fault="a scrape was missed")
    assert missed.cells()[-1] == "not met: a scrape was missed"


def test_markdown_rows_have_a_cell_for_every_column() -> None:
    lines = Report({}, [figure(1, 2)]).as_markdown().strip().splitlines()
    assert len({line.count("|") for line in lines}) == 1


def test_compose_file_has_a_service_for_every_container(
    composed: dict[str, Any], registrations: list[Registration]
) -> None:
    containers = {found.name for found in registrations if found.type == CONTAINER}
    assert set(composed["services"]) == containers


def test_compose_service_has_the_same_limits(composed: dict[str, Any]) -> None:
    service = composed["services"]["node-exporter"]
    assert (service["mem_limit"], service["memswap_limit"], service["cpus"]) == (
        "64m",
        "64m",
        "0.25",
    )


def test_compose_service_is_checked_as_often_while_it_starts(composed: dict[str, Any]) -> None:
    check = composed["services"]["node-exporter"]["healthcheck"]
    assert check["start_interval"] == check["interval"] == "1s"


def test_work_tree_of_a_commit_is_that_commit_and_is_removed() -> None:
    with commits.work_tree("HEAD") as folder:
        found = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, check=True
        )
        here = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, check=True
        )
        assert found.stdout == here.stdout
    assert not folder.exists()


def test_work_tree_of_an_unknown_commit_is_an_error() -> None:
    with pytest.raises(BenchmarkError, match="no-such-commit"), commits.work_tree("no-such-commit"):
        pass


def test_configuration_leaves_out_services_that_no_stack_names() -> None:
    images = {"prometheus": "p:1", "cadvisor": "c:1"}
    found = configuration("dev", images)
    assert found.values["images"] == {"prometheus": "p:1"}
    assert "cadvisor" not in found.ports


def test_compose_command_escapes_dollars(composed: dict[str, Any]) -> None:
    command = " ".join(composed["services"]["node-exporter"]["command"])
    assert command.count("$$") * 2 == command.count("$") > 0


def test_compose_service_mounts_the_configuration(composed: dict[str, Any]) -> None:
    mounts = composed["services"]["prometheus"]["volumes"]
    source = next(mount["source"] for mount in mounts if mount["target"] == "/etc/prometheus")
    assert (Path(source) / "prometheus.yml").is_file()


def test_compose_file_with_unknown_property_is_refused(
    registrations: list[Registration], tmp_path: Path
) -> None:
    container = next(found for found in registrations if found.type == CONTAINER)
    container = Registration(
        **{**vars(container), "inputs": {**container.inputs, "gpus": "all"}},
    )
    with pytest.raises(BenchmarkError, match="gpus"):
        compose_file([container], tmp_path)


@pytest.mark.parametrize("name", ["total_inactive_file", "inactive_file"])
def test_without_file_cache_subtracts_the_inactive_files(name: str) -> None:
    assert without_file_cache({"usage": 100, "stats": {name: 30}}) == 70


def test_edited_rule_exists_once() -> None:
    text = (ROOT / RULE_FILE).read_text()
    assert text.count(f"record: {RULE}\n        {EXPRESSION}\n") == 1


def test_cpu_seconds_counts_the_work_of_the_child() -> None:
    idle = program.cpu_seconds(["-c", "import time; time.sleep(0.2)"])
    busy = program.cpu_seconds(["-c", "sum(range(30_000_000))"])
    assert busy > idle + 0.1


def test_cpu_seconds_of_a_failed_command_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="failed:\nno such stack"):
        program.cpu_seconds(["-c", "import sys; sys.exit('no such stack')"])


def test_prod_stack_parses_few_yaml_texts_and_imports_few_modules() -> None:
    """Counts, which do not depend on the machine. 15 and 720 when this was written, in 2026-11."""
    parses, modules = program.counts()
    assert parses <= 20
    assert modules <= 760
