"""Resources of a stack and their dependencies."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime import mocks, rpc

from ops.offline import program
from ops.offline.program import Registration, StackConfig

ROOT = Path(__file__).resolve().parents[2]
MONITORING = {
    "prometheus",
    "grafana",
    "alertmanager",
    "node-exporter",
    "postgres-exporter",
    "redis-exporter",
}
DEMO = {"demo-backend", "demo-traffic", "demo-postgres", "demo-redis"}
SERVICES = {"dev": MONITORING | DEMO, "prod": MONITORING}
WITH_DATA = {"prometheus", "grafana", "alertmanager"}
WITH_CONFIG = MONITORING


def test_stack_has_exactly_the_expected_services(view: Any) -> None:
    assert set(view.containers()) == SERVICES[view.stack]


def test_prod_has_no_demo_resource(prod: Any) -> None:
    assert [found.name for found in prod.registrations if "demo" in found.name] == []


def test_container_names_have_stack_and_service(view: Any) -> None:
    names = {service: container["name"] for service, container in view.containers().items()}
    assert names == {service: f"vitalstream-{view.stack}-{service}" for service in names}


def test_persistent_services_have_a_data_volume(prod: Any) -> None:
    volumes = {name for name in prod.all("Volume") if name.endswith("-data")}
    assert volumes == {f"{service}-data" for service in WITH_DATA}


def test_configured_services_have_a_config_volume(prod: Any) -> None:
    volumes = {name for name in prod.all("Volume") if name.endswith("-config-volume")}
    assert volumes == {f"{service}-config-volume" for service in WITH_CONFIG}


def test_stack_has_no_other_volume_than_textfile(prod: Any) -> None:
    others = {name for name in prod.all("Volume") if not re.search("-(data|config-volume)$", name)}
    assert others == {"textfile-volume"}


def test_configured_services_use_config_files(prod: Any) -> None:
    assert set(prod.all("ConfigFiles")) == {f"{service}-config" for service in WITH_CONFIG}


def test_volume_names_have_the_stack(view: Any) -> None:
    for name, volume in view.inputs("Volume").items():
        assert volume["name"] == f"vitalstream-{view.stack}-{name.removesuffix('-volume')}"


def test_prod_data_volumes_are_protected(prod: Any) -> None:
    unprotected = [n for n, v in prod.all("Volume").items() if "-data" in n and not v.protect]
    assert unprotected == []


def test_dev_resources_are_not_protected(dev: Any) -> None:
    assert [found.name for found in dev.registrations if found.protect] == []


def test_volume_label_and_driver_changes_are_ignored(view: Any) -> None:
    for volume in view.all("Volume").values():
        assert set(volume.ignore_changes) == {"labels", "driver", "driverOpts"}


def test_alertmanager_and_grafana_networks_can_publish(view: Any) -> None:
    networks = view.inputs("Network")
    assert [networks[service]["internal"] for service in ("alertmanager", "grafana")] == [
        False,
        False,
    ]


def test_demo_network_is_internal(dev: Any) -> None:
    assert dev.inputs("Network")["demo"]["internal"] is True


def test_networks_are_one_per_service(views: dict[str, Any]) -> None:
    spokes = {"alertmanager", "grafana", "node-exporter", "postgres-exporter", "redis-exporter"}
    networks = {stack: set(view.all("Network")) for stack, view in views.items()}
    assert networks == {"dev": {*spokes, "demo"}, "prod": spokes}


def _internal(view: Any) -> set[str]:
    return {name for name, network in view.inputs("Network").items() if network["internal"]}


def test_exporter_networks_with_application_networks_are_internal(run_program: Any) -> None:
    view = run_program("prod", applicationNetworks=["clinic"])
    assert _internal(view) == {"node-exporter", "postgres-exporter", "redis-exporter"}


def test_exporter_networks_without_application_networks_have_egress(run_program: Any) -> None:
    assert _internal(run_program("prod", applicationNetworks=[])) == {"node-exporter"}


def test_exporter_networks_of_published_exporters_can_publish(run_program: Any) -> None:
    assert _internal(run_program("dev", publishExporters=True)) == {"demo"}


def test_exporters_are_published_only_with_publish_exporters(run_program: Any) -> None:
    published = {
        on: {
            s
            for s, c in run_program("prod", publishExporters=on).containers().items()
            if c.get("ports")
        }
        for on in (False, True)
    }
    exporters = {"node-exporter", "postgres-exporter", "redis-exporter"}
    assert published[False] == {"prometheus", "alertmanager", "grafana"}
    assert published[True] - published[False] == exporters


def test_network_names_have_the_stack(view: Any) -> None:
    for name, network in view.inputs("Network").items():
        assert network["name"] == f"vitalstream-{view.stack}-{name}"


def test_component_type_tokens_are_of_this_project(view: Any) -> None:
    tokens = {found.type for found in view.registrations if not found.custom}
    strange = [t for t in tokens if not re.fullmatch(r"vitalstream:[a-z]+:[A-Z][A-Za-z]+", t)]
    assert strange == []


def test_resources_without_component_are_the_shared_ones(view: Any) -> None:
    loose = {
        found.name
        for found in view.registrations
        if found.custom and "pulumi:pulumi:Stack::" in found.parent
    }
    assert loose - {"docker", "preflight"} == set()


def test_service_resources_have_their_component_as_parent(view: Any) -> None:
    for kind in ("Container", "ConfigFiles", "Volume"):
        for name, found in view.all(kind).items():
            service = re.sub(r"-(config|data|config-volume)$", "", name)
            service = {"textfile-volume": "node-exporter"}.get(name, service)
            assert found.parent.rsplit("::", maxsplit=1)[-1] == service


def test_demo_components_have_the_demo_as_parent(dev: Any) -> None:
    for name in DEMO:
        assert dev.one("Service", name).parent.endswith("vitalstream:demo:Demo::demo")


def test_docker_resources_use_the_configured_engine(view: Any) -> None:
    for found in view.registrations:
        if found.type.startswith("docker:"):
            assert "pulumi:providers:docker::docker" in found.provider, found.name


def test_docker_host_is_equal_in_all_inputs(changed: Any) -> None:
    hosts = {files["docker_host"] for files in changed.inputs("ConfigFiles").values()}
    assert hosts | {changed.inputs("Provider")["docker"]["host"]} == {
        "tcp://docker.example.com:2376"
    }


def test_images_are_kept_locally(view: Any) -> None:
    removed = [
        name
        for name, image in view.inputs("RemoteImage").items()
        if "build" not in image and image.get("keepLocally") is not True
    ]
    assert removed == []


def test_container_depends_on_its_configuration(view: Any) -> None:
    for name in view.all("ConfigFiles"):
        service = name.removesuffix("-config")
        container = view.one("Container", service)
        assert any(d.endswith(f"ConfigFiles::{name}") for d in container.dependencies), service


def test_configuration_depends_on_its_volume(view: Any) -> None:
    for name, files in view.all("ConfigFiles").items():
        assert any(d.endswith(f"::{name}-volume") for d in files.dependencies), name


def test_configuration_depends_on_its_checkers_image(view: Any) -> None:
    for name, files in view.all("ConfigFiles").items():
        assert any("remoteImage:RemoteImage::" in d for d in files.dependencies), name


def test_monitoring_services_start_in_parallel(prod: Any) -> None:
    for container in prod.all("Container").values():
        assert not any("container:Container" in d for d in container.dependencies)


def test_program_run_twice_registers_the_same(run_program: Callable[..., Any], dev: Any) -> None:
    def essence(view: Any) -> dict[tuple[str, str], Any]:
        return {(f.type, f.name): program.unwrap(f.inputs) for f in view.registrations}

    assert essence(run_program("dev")) == essence(dev)


def _all_computed(registration: Registration) -> tuple[str, dict[str, Any]]:
    """Return unknown values for everything that a provider computes, as in a first preview."""
    return "", dict.fromkeys(registration.inputs, rpc.UNKNOWN)


def test_program_registers_no_resource_in_apply(monkeypatch: pytest.MonkeyPatch, view: Any) -> None:
    """Detect resources registered in `apply`, which does not run on unknown values."""
    monkeypatch.setattr(mocks, "set_mocks", _previewing(mocks.set_mocks))
    config = StackConfig.of_stack(view.stack)
    preview = program.run(view.stack, config, _all_computed)
    assert {(f.type, f.name) for f in preview} == {(f.type, f.name) for f in view.registrations}


def _previewing(set_mocks: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(set_mocks)
    def in_preview(recorder: Any, project: str, stack: str, _preview: bool, **rest: Any) -> None:
        set_mocks(recorder, project, stack, True, **rest)

    return in_preview


@pytest.mark.parametrize("stack", ["prod", "dev"])
def test_inputs_contain_no_path_of_this_machine(stack: str, views: dict[str, Any]) -> None:
    named = [
        f.name for f in views[stack].registrations if str(ROOT) in str(program.unwrap(f.inputs))
    ]
    assert named == []


def test_outputs_have_every_published_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exported: dict[str, Any] = {}
    monkeypatch.setattr("pulumi.export", exported.__setitem__)
    program.run("dev", StackConfig.of_stack("dev"))
    assert {key: exported[key] for key in MONITORING} == {
        "prometheus": "http://127.0.0.1:9090",
        "grafana": "http://127.0.0.1:3000",
        "alertmanager": "http://127.0.0.1:9093",
        "node-exporter": "http://127.0.0.1:9100",
        "postgres-exporter": "http://127.0.0.1:9187",
        "redis-exporter": "http://127.0.0.1:9121",
    }
