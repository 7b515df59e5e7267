"""Alertmanager: the container, its routes as files, and silences that survive it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pulumi

from components import routing, web
from components.config_files import NoticesItself, ReloadOnChange
from components.container import ContainerSpec, Network, http_probe
from components.service import Service, ServiceFiles, ServiceSpec
from components.settings import Settings

PORT = 9093
SNAPSHOT_INTERVAL = "15s"
DATA_DIR = "/alertmanager"
TEMPLATES = Path(__file__).resolve().parent.parent / "templates" / "notifications.tmpl"


def render_templates(settings: Settings) -> str:
    """The notification templates, with links to this stack's Grafana."""
    return TEMPLATES.read_text().replace("GRAFANA_URL", settings.url("grafana"))


def spec(settings: Settings) -> ServiceSpec:
    files = {
        "notifications.tmpl": render_templates(settings),
        **{_below(path): pem for path, pem in routing.ca_files(settings).items()},
    }
    secret_files = {
        _below(path): secret.get_secret_value()
        for path, secret in (
            (routing.SLACK_URL_FILE, settings.slack_webhook_url),
            (routing.MAIL_PASSWORD_FILE, settings.mail_password),
        )
        if secret.get_secret_value()
    }
    config = secret_files if routing.has_heartbeat(settings) else files
    config["alertmanager.yml"] = routing.render_config(settings)
    return ServiceSpec(
        ContainerSpec(
            service="alertmanager",
            command=[
                f"--config.file={routing.CONFIG_DIR}/alertmanager.yml",
                f"--storage.path={DATA_DIR}",
                # How much of its silences, and of what it has already told, a crash may cost it.
                # The default is a quarter of an hour: a silence gone, a page repeated.
                f"--data.maintenance-interval={SNAPSHOT_INTERVAL}",
                # Where the links in messages lead.
                f"--web.external-url={settings.url('alertmanager')}",
                # One Alertmanager has no peers to gossip with.
                "--cluster.listen-address=",
                *web.server_flags(settings, routing.CONFIG_DIR),
            ],
            probe=_probe(settings),
            port=PORT,
        ),
        files=ServiceFiles(
            target=routing.CONFIG_DIR,
            files=files,
            secret_files={
                **secret_files,
                **web.server_files(settings, service="alertmanager", password=True),
                **web.client_files(settings, routing.CONFIG_DIR, "alertmanager"),
            },
            checker=("amtool", "check-config", f"{routing.CONFIG_DIR}/alertmanager.yml"),
            on_change=ReloadOnChange(),
            on_change_below={web.FOLDER: NoticesItself()},
        ),
        data_dir=DATA_DIR,
    )


def _below(path: str) -> str:
    return path.removeprefix(f"{routing.CONFIG_DIR}/")


def _probe(settings: Settings) -> str:
    if not settings.tls:
        return http_probe(PORT, "/-/ready")
    config = f"--http.config.file={routing.CONFIG_DIR}/{web.CLIENT}"
    return f"amtool {config} --alertmanager.url=https://localhost:{PORT} cluster show"


class Alertmanager(Service):
    """The server, its silences and its configuration."""

    def __init__(
        self,
        settings: Settings,
        networks: Sequence[Network],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            "vitalstream:alertmanager:Alertmanager", settings, spec(settings), networks, opts
        )
