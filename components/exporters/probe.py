"""blackbox_exporter: asks URLs, ports and DNS servers as somebody outside would."""

from __future__ import annotations

import re
from typing import Any

from components.catalog.integrations.probes import EXPORTER
from components.catalog.replicas import MAIN
from components.common import yaml_text
from components.docker import tls_files
from components.docker.config_files import NoAction, ReloadOnChange
from components.docker.container import ContainerSpec, busybox_probe
from components.docker.service import ServiceFiles, ServiceSpec
from components.exporters.exporter import QUICK_LOOKUPS
from components.settings.probes import Probe
from components.settings.settings import Settings

CONFIG_DIR = "/etc/blackbox_exporter"
CONFIG = f"{CONFIG_DIR}/blackbox.yml"
SECRETS = "secrets"


def spec(settings: Settings, _host: str = MAIN) -> ServiceSpec:
    """Return the container with one module for each of `vitalstream:probes`."""
    modules = {name: _module(name, probe) for name, probe in settings.probes.items()}
    return ServiceSpec(
        ContainerSpec(
            service=EXPORTER.service,
            command=[
                f"--config.file={CONFIG}",
                *tls_files.server_flags(settings, CONFIG_DIR),
            ],
            probe=busybox_probe(EXPORTER.port, "/-/healthy", tls=settings.tls),
            port=EXPORTER.port,
            dns_opts=QUICK_LOOKUPS,
        ),
        files=ServiceFiles(
            target=CONFIG_DIR,
            files={
                "blackbox.yml": yaml_text.dump({"modules": modules}),
                **{
                    _ca(name): f"{probe.ca.strip()}\n"
                    for name, probe in settings.probes.items()
                    if probe.ca
                },
            },
            secret_files={
                **_secrets(settings.probes),
                **tls_files.server_files(settings, password=False),
            },
            checker=("blackbox_exporter", "--config.check", f"--config.file={CONFIG}"),
            on_change=ReloadOnChange(),
            on_change_by_path={tls_files.FOLDER: NoAction(), SECRETS: NoAction()},
        ),
    )


def _module(name: str, probe: Probe) -> dict[str, Any]:
    """Return the module. Its time limit is that of the scrape."""
    match probe.kind:
        case "url":
            return {"prober": "http", "http": _http(name, probe)}
        case "tcp":
            tls = {"tls": True, **_tls(name, probe)} if probe.tls else {}
            return {"prober": "tcp", "tcp": {**_either_family(), **tls}}
        case "dns":
            expected = re.escape(probe.text) if probe.text else ".+"
            return {
                "prober": "dns",
                "dns": {
                    **_either_family(),
                    "query_name": probe.dns,
                    "query_type": probe.record,
                    "valid_rcodes": ["NOERROR"],
                    # Of all records none fails, without one too.
                    "validate_answer_rrs": {"fail_if_none_matches_regexp": [expected]},
                },
            }
    return {"prober": "icmp", "icmp": _either_family()}


def _http(name: str, probe: Probe) -> dict[str, Any]:
    found: dict[str, Any] = {**_either_family(), **_tls(name, probe)}
    if probe.status:
        found["valid_status_codes"] = list(probe.status)
        # Otherwise the status would be that of where it leads.
        found["follow_redirects"] = not any(300 <= code < 400 for code in probe.status)
    if probe.text:
        found["fail_if_body_not_matches_regexp"] = [re.escape(probe.text)]
    if probe.username:
        found["basic_auth"] = {"username": probe.username, "password_file": _secret(name)}
    if probe.bearer_token.get_secret_value():
        found["authorization"] = {"credentials_file": _secret(name)}
    return found


def _either_family() -> dict[str, Any]:
    return {"preferred_ip_protocol": "ip4", "ip_protocol_fallback": True}


def _tls(name: str, probe: Probe) -> dict[str, Any]:
    tls = {
        **({"ca_file": f"{CONFIG_DIR}/{_ca(name)}"} if probe.ca else {}),
        **({"server_name": probe.server_name} if probe.server_name else {}),
    }
    return {"tls_config": tls} if tls else {}


def _secrets(probes: dict[str, Probe]) -> dict[str, str]:
    return {
        f"{SECRETS}/{name}": secret.get_secret_value()
        for name, probe in probes.items()
        for secret in (probe.password, probe.bearer_token)
        if secret.get_secret_value()
    }


def _secret(name: str) -> str:
    return f"{CONFIG_DIR}/{SECRETS}/{name}"


def _ca(name: str) -> str:
    return f"ca/{name}.pem"
