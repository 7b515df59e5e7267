"""Grafana: the container, and what the Grafana provider makes in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumiverse_grafana as grafana

from components.config_files import RunOnChange
from components.container import ContainerSpec, Network, http_probe
from components.own_dashboards import DATA_SOURCE_UID
from components.service import Service, ServiceFiles, ServiceSpec
from components.settings import Settings

PORT = 3000
DATA_DIR = "/var/lib/grafana"
SECRETS_DIR = "/etc/grafana/secrets"
PASSWORD_FILE = f"{SECRETS_DIR}/admin_password"
FOLDER_UID = "vitalstream"
OWN_FOLDER_UID = "vitalstream-own"


def spec(settings: Settings) -> ServiceSpec:
    # Grafana takes its admin password from the file only when it first makes its database.
    reset = f"grafana cli --homepath /usr/share/grafana admin reset-admin-password \
--password-from-stdin < {PASSWORD_FILE}"
    return ServiceSpec(
        ContainerSpec(
            service="grafana",
            command=[],
            envs=[
                "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES=false",
                "GF_ANALYTICS_CHECK_FOR_UPDATES=false",
                "GF_ANALYTICS_REPORTING_ENABLED=false",
                "GF_AUTH_ANONYMOUS_ENABLED=false",
                "GF_LOG_MODE=console",
                "GF_NEWS_NEWS_FEED_ENABLED=false",
                "GF_PLUGINS_PREINSTALL_DISABLED=true",
                f"GF_SECURITY_ADMIN_PASSWORD__FILE={PASSWORD_FILE}",
                f"GF_SECURITY_ADMIN_USER={settings.grafana_admin_user}",
                "GF_SECURITY_DISABLE_GRAVATAR=true",
                f"GF_SERVER_ROOT_URL={settings.url('grafana')}/",
                "GF_USERS_ALLOW_SIGN_UP=false",
                # The alerts are Prometheus' and Alertmanager's.
                "GF_UNIFIED_ALERTING_ENABLED=false",
            ],
            probe=http_probe(PORT, "/api/health"),
            port=PORT,
            stop_seconds=30,
            # Its first start makes the database.
            wait_seconds=120,
        ),
        files=ServiceFiles(
            target=SECRETS_DIR,
            secret_files={"admin_password": settings.grafana_admin_password.get_secret_value()},
            on_change=RunOnChange(("sh", "-c", reset)),
        ),
        data_dir=DATA_DIR,
    )


class Grafana(Service):
    """The server and its database."""

    def __init__(
        self,
        settings: Settings,
        networks: Sequence[Network],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("vitalstream:grafana:Grafana", settings, spec(settings), networks, opts)


class GrafanaObjects(pulumi.ComponentResource):
    """The folders, the data source and the dashboards, with fixed uids.

    `dashboards` are by resource name, `own_dashboards`, the user's, by uid and in a folder of
    their own: in one folder, a title that is there twice is one dashboard to Grafana.

    The provider is configured from literals: from outputs of the container, a replacement of it
    would show an update of every object.
    """

    def __init__(
        self,
        settings: Settings,
        server: Grafana,
        dashboards: Mapping[str, str],
        own_dashboards: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("vitalstream:grafana:GrafanaObjects", "grafana-objects", None, opts)
        password = settings.grafana_admin_password.get_secret_value()
        provider = grafana.Provider(
            "grafana",
            url=f"http://{settings.local_host}:{settings.published['grafana']}",
            auth=pulumi.Output.secret(f"{settings.grafana_admin_user}:{password}"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[server.container]),
        )
        child = pulumi.ResourceOptions(
            parent=self,
            provider=provider,
            depends_on=[server.container],
            # They live in Grafana's database: a destroy that deletes it need not ask Grafana, which
            # may be down. One that keeps it must, or the next `up` meets them as strangers; and
            # `destroy --exclude-protected` takes a protected volume for a deleted one.
            deleted_with=None if settings.protect_data else server.data,
        )
        folder = grafana.oss.Folder("folder", title="VitalStream", uid=FOLDER_UID, opts=child)
        grafana.oss.DataSource(
            "prometheus",
            name="Prometheus",
            type="prometheus",
            uid=DATA_SOURCE_UID,
            url="http://prometheus:9090",
            access_mode="proxy",
            is_default=True,
            json_data_encoded=pulumi.Output.json_dumps(
                {"httpMethod": "POST", "timeInterval": settings.scrape_interval}
            ),
            opts=child,
        )
        for name, text in dashboards.items():
            grafana.oss.Dashboard(
                name, folder=folder.uid, config_json=text, overwrite=True, opts=child
            )
        if own_dashboards:
            own_folder = grafana.oss.Folder(
                "own-folder", title="Own dashboards", uid=OWN_FOLDER_UID, opts=child
            )
            for uid, text in own_dashboards.items():
                grafana.oss.Dashboard(
                    f"own-{uid}",
                    folder=own_folder.uid,
                    config_json=text,
                    overwrite=True,
                    opts=child,
                )
        self.register_outputs({"folder": folder.uid})
