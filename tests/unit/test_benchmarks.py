"""What the benchmarks make of what they measured, and what Compose is given to compare with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.compose_project import compose_file
from benchmarks.figures import Aim, Figure, Report
from benchmarks.memory import without_file_cache
from benchmarks.projects import BenchmarkError
from benchmarks.rule_edit import EXPRESSION, RULE, RULE_FILE
from ops.offline.local_deploy.plan import CONTAINER
from ops.offline.program import (
    ROOT,
    Registration,
    StackConfig,
    run,
)


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


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    beside = figure(2, 30, 4, yardstick=(1, 10, 1), yardstick_name="empty")
    assert beside.ratio == 3


def test_an_aim_of_a_ratio_is_met_up_to_its_limit() -> None:
    assert figure(2, yardstick=(1,), aim=Aim(2)).met


def test_an_aim_is_not_met_above_its_limit() -> None:
    assert figure(2.1, yardstick=(1,), aim=Aim(2)).met is False


def test_a_figure_without_a_yardstick_is_judged_by_itself() -> None:
    assert figure(2.1, aim=Aim(2)).met is False


def test_a_figure_without_an_aim_is_not_judged() -> None:
    assert figure(1).met is None


def test_a_missed_scrape_fails_the_aim_however_fast_it_was() -> None:
    assert figure(1, aim=Aim(2), condition="a scrape was missed").met is False


def test_the_verdict_names_what_failed_it() -> None:
    missed = figure(1, aim=Aim(2), condition="a scrape was missed")
    assert missed.cells()[-1] == "not met: a scrape was missed"


def test_markdown_has_a_cell_for_every_column() -> None:
    lines = Report({}, [figure(1, 2)]).as_markdown().strip().splitlines()
    assert len({line.count("|") for line in lines}) == 1


def test_every_container_has_its_compose_service(
    composed: dict[str, Any], registrations: list[Registration]
) -> None:
    containers = {found.name for found in registrations if found.type == CONTAINER}
    assert set(composed["services"]) == containers


def test_compose_gets_the_same_limits(composed: dict[str, Any]) -> None:
    service = composed["services"]["node-exporter"]
    assert (service["mem_limit"], service["memswap_limit"], service["cpus"]) == (
        "64m",
        "64m",
        "0.25",
    )


def test_compose_takes_no_dollar_for_a_variable_of_its_own(composed: dict[str, Any]) -> None:
    command = " ".join(composed["services"]["node-exporter"]["command"])
    assert command.count("$$") * 2 == command.count("$") > 0


def test_files_come_to_compose_by_a_bind_mount(composed: dict[str, Any]) -> None:
    mounts = composed["services"]["prometheus"]["volumes"]
    source = next(mount["source"] for mount in mounts if mount["target"] == "/etc/prometheus")
    assert (Path(source) / "prometheus.yml").is_file()


def test_a_property_that_compose_would_lack_is_refused(
    registrations: list[Registration], tmp_path: Path
) -> None:
    container = next(found for found in registrations if found.type == CONTAINER)
    container = Registration(
        **{**vars(container), "inputs": {**container.inputs, "gpus": "all"}},
    )
    with pytest.raises(BenchmarkError, match="gpus"):
        compose_file([container], tmp_path)


@pytest.mark.parametrize("name", ["total_inactive_file", "inactive_file"])
def test_memory_is_what_the_kernel_cannot_take_back_at_once(name: str) -> None:
    assert without_file_cache({"usage": 100, "stats": {name: 30}}) == 70


def test_the_rule_that_is_edited_is_there_once() -> None:
    text = (ROOT / RULE_FILE).read_text()
    assert text.count(f"record: {RULE}\n        {EXPRESSION}\n") == 1
