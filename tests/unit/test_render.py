"""`python -m ops render`: what a stack would be made of, as files."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.catalog.monitored import ALL_MONITORED
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
    """Return the rendered files with every secret set."""
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


def test_rendered_files_are_the_readable_ones(files: dict[str, str]) -> None:
    rules = {f"rules/{name}" for name in selection.select(shipped_files(), ALL_MONITORED)}
    boards = {f"dashboards/{n}.json" for n in ("overview", "api", "ecg", "host", "monitoring")}
    boards |= {"dashboards/postgresql.json", "dashboards/redis.json"}
    single = {"prometheus.yml", "alertmanager.yml", "notifications.tmpl", "resources.json"}
    assert set(files) == rules | boards | single


def test_rendered_resource_has_type_name_and_inputs(resources: list[dict[str, Any]]) -> None:
    assert {tuple(sorted(resource)) for resource in resources} == {("inputs", "name", "type")}


def test_rendered_resources_are_unique_by_type_and_name(resources: list[dict[str, Any]]) -> None:
    keys = [(resource["type"], resource["name"]) for resource in resources]
    assert len(keys) == len(set(keys))


def test_rendered_resources_are_sorted(
    resources: list[dict[str, Any]],
) -> None:
    keys = [(resource["type"], resource["name"]) for resource in resources]
    assert keys == sorted(keys)


def test_rendered_inputs_have_the_providers_names(resources: list[dict[str, Any]]) -> None:
    container = next(r for r in resources if r["name"] == "grafana" and "memory" in r["inputs"])
    assert {"memorySwap", "networksAdvanced", "destroyGraceSeconds"} <= set(container["inputs"])


def test_rendered_integers_have_no_decimal_point(files: dict[str, str]) -> None:
    assert '"memory": 512,' in files["resources.json"]


def test_rendered_secrets_are_masked(resources: list[dict[str, Any]]) -> None:
    provider = next(r for r in resources if r["type"] == "pulumi:providers:grafana")
    assert provider["inputs"]["auth"] == "[secret]"


@pytest.mark.parametrize("key", SECRETS)
def test_rendered_resources_contain_no_secret(key: str, secretive: dict[str, str]) -> None:
    assert trace(SECRETS[key]) not in secretive["resources.json"]


@pytest.mark.parametrize("key", SECRETS)
def test_rendered_files_contain_no_secret(key: str, secretive: dict[str, str]) -> None:
    assert [path for path, text in secretive.items() if trace(SECRETS[key]) in text] == []


def test_rendered_routes_with_heartbeat_are_shown(
    secretive: dict[str, str],
) -> None:
    """Show the routes, which reviewers need, although the file is secret as a whole."""
    assert "alertmanager.yml" in secretive


@pytest.mark.parametrize("stack", STACKS)
def test_rendering_repeated_is_identical(stack: str, rendered: dict[str, dict[str, str]]) -> None:
    assert render.render(stack) == rendered[stack]


def test_rendered_dev_and_prod_differ_as_expected(rendered: dict[str, dict[str, str]]) -> None:
    stacks = {
        stack: yaml.safe_load(files["prometheus.yml"])["global"]["external_labels"]["stack"]
        for stack, files in rendered.items()
    }
    assert stacks == {"dev": "dev", "prod": "prod"}


def test_unknown_stack_is_reported_with_known_stacks() -> None:
    with pytest.raises(ProgramError, match=r"Pulumi\.dev\.yaml, Pulumi\.prod\.yaml"):
        StackConfig.of_stack("staging")


def test_render_stack_with_encrypted_secret_succeeds(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    encrypted = {"config": {"vitalstream:redisPassword": {"secure": "v1:abc:def"}}}
    (tmp_path / "Pulumi.own.yaml").write_text(yaml.safe_dump(encrypted))
    config = StackConfig.of_stack("own", tmp_path)
    assert "vitalstream:redisPassword" in config.secret_keys


def test_render_encrypted_secret_is_a_placeholder(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    encrypted = {"config": {"vitalstream:redisPassword": {"secure": "v1:abc:def"}}}
    (tmp_path / "Pulumi.own.yaml").write_text(yaml.safe_dump(encrypted))
    config = StackConfig.of_stack("own", tmp_path)
    assert config.values["vitalstream:redisPassword"] == "placeholder-redisPassword"


def test_render_writes_files_to_their_paths(tmp_path: Path) -> None:
    render.write({"resources.json": "[]", "rules/a.yml": "groups: []"}, tmp_path / "out")
    assert (tmp_path / "out" / "rules" / "a.yml").read_text() == "groups: []"


def test_render_replaces_an_earlier_rendering(tmp_path: Path) -> None:
    render.write({"resources.json": "[]", "rules/a.yml": ""}, tmp_path / "out")
    render.write({"resources.json": "[]"}, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["resources.json"]


def test_render_into_foreign_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ProgramError, match="has other files in it"):
        render.write({"resources.json": "[]"}, tmp_path)


def test_render_leaves_no_temporary_files(tmp_path: Path) -> None:
    render.write({"resources.json": "[]"}, tmp_path / "out")
    render.write({"resources.json": "[]"}, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_render_after_closed_event_loop_succeeds() -> None:
    """Close the event loop first, as `asyncio.run` does."""
    asyncio.set_event_loop(None)
    assert "resources.json" in render.render("dev")
