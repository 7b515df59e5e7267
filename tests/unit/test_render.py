"""`python -m ops render`: what a stack would be made of, as files."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.catalog.monitored import DEFAULT_MONITORED
from components.rules import selection
from components.rules.rule_set import shipped_files
from ops.offline import render
from ops.offline.program import ProgramError, StackConfig
from tests.unit.conftest import SECRETS, SERVED, STACKS, stack_config, trace

ROOT = Path(__file__).resolve().parents[2]
REACHABLE = {"mailSmarthost": "smtp.example.com:587", "mailUsername": "monitoring"}


@pytest.fixture(scope="module")
def rendered() -> dict[str, dict[str, str]]:
    return {stack: render.render(stack) for stack in STACKS}


@pytest.fixture(scope="module")
def secretive() -> dict[str, str]:
    """The files where every secret is set."""
    return render.render(
        "dev", stack_config("dev", {**SECRETS, **SERVED, **REACHABLE, "tls": "true"})
    )


@pytest.fixture(params=STACKS)
def files(request: pytest.FixtureRequest, rendered: dict[str, dict[str, str]]) -> dict[str, str]:
    return rendered[request.param]


@pytest.fixture
def resources(files: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(files["resources.json"])
    return found


def test_the_files_are_those_that_people_look_at(files: dict[str, str]) -> None:
    rules = {f"rules/{name}" for name in selection.select(shipped_files(), DEFAULT_MONITORED)}
    boards = {f"dashboards/{n}.json" for n in ("overview", "api", "ecg", "host", "monitoring")}
    boards |= {"dashboards/postgresql.json", "dashboards/redis.json"}
    single = {"prometheus.yml", "alertmanager.yml", "notifications.tmpl", "resources.json"}
    assert set(files) == rules | boards | single


def test_a_resource_has_type_name_and_inputs(resources: list[dict[str, Any]]) -> None:
    assert {tuple(sorted(resource)) for resource in resources} == {("inputs", "name", "type")}


def test_no_two_resources_have_the_same_type_and_name(resources: list[dict[str, Any]]) -> None:
    keys = [(resource["type"], resource["name"]) for resource in resources]
    assert len(keys) == len(set(keys))


def test_resources_are_in_order_so_that_renderings_can_be_compared(
    resources: list[dict[str, Any]],
) -> None:
    keys = [(resource["type"], resource["name"]) for resource in resources]
    assert keys == sorted(keys)


def test_inputs_have_the_names_that_the_provider_gets(resources: list[dict[str, Any]]) -> None:
    container = next(r for r in resources if r["name"] == "grafana" and "memory" in r["inputs"])
    assert {"memorySwap", "networksAdvanced", "destroyGraceSeconds"} <= set(container["inputs"])


def test_whole_numbers_are_written_without_a_point(files: dict[str, str]) -> None:
    assert '"memory": 512,' in files["resources.json"]


def test_secrets_are_masked(resources: list[dict[str, Any]]) -> None:
    provider = next(r for r in resources if r["type"] == "pulumi:providers:grafana")
    assert provider["inputs"]["auth"] == "[secret]"


@pytest.mark.parametrize("key", SECRETS)
def test_no_secret_is_in_the_resources(key: str, secretive: dict[str, str]) -> None:
    assert trace(SECRETS[key]) not in secretive["resources.json"]


@pytest.mark.parametrize("key", SECRETS)
def test_no_secret_is_in_any_file(key: str, secretive: dict[str, str]) -> None:
    assert [path for path, text in secretive.items() if trace(SECRETS[key]) in text] == []


def test_a_heartbeats_address_does_not_make_the_routes_disappear(
    secretive: dict[str, str],
) -> None:
    """Its file is a secret as a whole; its routes are what a pull request is read for."""
    assert "alertmanager.yml" in secretive


@pytest.mark.parametrize("stack", STACKS)
def test_a_second_rendering_is_the_same(stack: str, rendered: dict[str, dict[str, str]]) -> None:
    assert render.render(stack) == rendered[stack]


def test_the_stacks_differ_where_they_should(rendered: dict[str, dict[str, str]]) -> None:
    stacks = {
        stack: yaml.safe_load(files["prometheus.yml"])["global"]["external_labels"]["stack"]
        for stack, files in rendered.items()
    }
    assert stacks == {"dev": "dev", "prod": "prod"}


def test_unknown_stack_is_reported_with_known_stacks() -> None:
    with pytest.raises(ProgramError, match=r"Pulumi\.dev\.yaml, Pulumi\.prod\.yaml"):
        StackConfig.of_stack("staging")


def test_a_stack_with_an_encrypted_secret_can_be_rendered(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    encrypted = {"config": {"vitalstream:redisPassword": {"secure": "v1:abc:def"}}}
    (tmp_path / "Pulumi.own.yaml").write_text(yaml.safe_dump(encrypted))
    config = StackConfig.of_stack("own", tmp_path)
    assert "vitalstream:redisPassword" in config.secret_keys


def test_an_encrypted_secret_is_replaced_by_a_placeholder(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    encrypted = {"config": {"vitalstream:redisPassword": {"secure": "v1:abc:def"}}}
    (tmp_path / "Pulumi.own.yaml").write_text(yaml.safe_dump(encrypted))
    config = StackConfig.of_stack("own", tmp_path)
    assert config.values["vitalstream:redisPassword"] == "placeholder-redisPassword"


def test_the_files_are_written_to_their_paths(tmp_path: Path) -> None:
    render.write({"resources.json": "[]", "rules/a.yml": "groups: []"}, tmp_path / "out")
    assert (tmp_path / "out" / "rules" / "a.yml").read_text() == "groups: []"


def test_an_earlier_rendering_goes_as_a_whole(tmp_path: Path) -> None:
    render.write({"resources.json": "[]", "rules/a.yml": ""}, tmp_path / "out")
    render.write({"resources.json": "[]"}, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["resources.json"]


def test_somebodys_own_files_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ProgramError, match="has other files in it"):
        render.write({"resources.json": "[]"}, tmp_path)


def test_nothing_but_the_rendering_is_left_beside_it(tmp_path: Path) -> None:
    render.write({"resources.json": "[]"}, tmp_path / "out")
    render.write({"resources.json": "[]"}, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_program_runs_where_an_event_loop_has_ended() -> None:
    """As `asyncio.run` leaves a thread."""
    asyncio.set_event_loop(None)
    assert "resources.json" in render.render("dev")
