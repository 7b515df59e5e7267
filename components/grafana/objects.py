"""Objects of the Grafana provider: folders, the data source and the dashboards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pulumi
import pulumiverse_grafana as grafana
from pydantic import SecretStr

from components.catalog.thanos import HTTP_PORT, QUERIER
from components.docker.service import Service
from components.settings.settings import Settings
from components.user_files.dashboards import DATA_SOURCE_UID

FOLDER_UID = "vitalstream"
OWN_FOLDER_UID = "vitalstream-own"


class GrafanaObjects(pulumi.ComponentResource):
    """Folders, data source and dashboards, with fixed uids.

    `servers` are the Grafanas and their balancer. `dashboards` are by resource name.
    `own_dashboards`, the user's, are by uid and in a separate folder: two dashboards of the same
    title in one folder are the same dashboard to Grafana.

    The provider is configured from literals: with outputs of the container, a replaced container
    would show an update of every object.
    """

    def __init__(
        self,
        settings: Settings,
        servers: Sequence[Service],
        dashboards: Mapping[str, str],
        own_dashboards: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("vitalstream:grafana:GrafanaObjects", "grafana-objects", None, opts)
        containers = [server.container for server in servers]
        password = settings.grafana_admin_password.get_secret_value()
        provider = grafana.Provider(
            "grafana",
            url=settings.local_url("grafana"),
            ca_cert=settings.tls_ca if settings.tls else None,
            auth=pulumi.Output.secret(f"{settings.grafana_admin_user}:{password}"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        child = pulumi.ResourceOptions(
            parent=self,
            provider=provider,
            depends_on=containers,
            # They live in Grafana's database: a destroy that deletes it need not ask Grafana, which
            # may be down. One that keeps it must, or the next `up` meets them as strangers; and
            # `destroy --exclude-protected` takes a protected volume for a deleted one.
            deleted_with=None
            if settings.protect_data or settings.grafana.database
            else servers[0].data,
        )
        data_source = grafana.oss.DataSource(
            "prometheus",
            name="Prometheus",
            type="prometheus",
            uid=DATA_SOURCE_UID,
            url=_data_source_url(settings),
            access_mode="proxy",
            is_default=True,
            json_data_encoded=json.dumps(_data_source(settings)),
            basic_auth_enabled=settings.tls or None,
            basic_auth_username=settings.web_user if settings.tls else None,
            secure_json_data_encoded=_data_source_secrets(settings),
            opts=child,
        )
        # Written alone, before the rest. Where SQLite was busy with the dashboards, Grafana 9.4
        # tried again with a key that the database had rolled back and only its memory still had:
        # with the next restart the password was lost, and no update of the data source succeeded.
        # https://github.com/grafana/grafana/issues/63419
        after = pulumi.ResourceOptions.merge(
            child, pulumi.ResourceOptions(depends_on=[data_source])
        )
        folder = grafana.oss.Folder("folder", title="VitalStream", uid=FOLDER_UID, opts=after)
        folders = {"folder": folder}
        for name, text in dashboards.items():
            grafana.oss.Dashboard(
                name, folder=folder.uid, config_json=text, overwrite=True, opts=after
            )
        if own_dashboards:
            own_folder = folders["own-folder"] = grafana.oss.Folder(
                "own-folder", title="Own dashboards", uid=OWN_FOLDER_UID, opts=after
            )
            for uid, text in own_dashboards.items():
                grafana.oss.Dashboard(
                    f"own-{uid}",
                    folder=own_folder.uid,
                    config_json=text,
                    overwrite=True,
                    opts=after,
                )
        _company_objects(settings, folders, after)
        self.register_outputs({"folder": folder.uid})


def _company_objects(
    settings: Settings, folders: Mapping[str, grafana.oss.Folder], opts: pulumi.ResourceOptions
) -> None:
    """Create the teams, their permissions on the folders, and the further data sources."""
    wanted = settings.grafana
    teams = {
        name: grafana.oss.Team(f"team-{name}", name=name, members=list(members), opts=opts)
        for name, members in wanted.teams.items()
    }
    for name, folder in folders.items() if wanted.folder_permissions else ():
        grafana.oss.FolderPermission(
            f"{name}-permission",
            folder_uid=folder.uid,
            permissions=[
                grafana.oss.FolderPermissionPermissionArgs(
                    permission=one.permission,
                    role=one.role,
                    team_id=teams[one.team].id if one.team else None,
                )
                for one in wanted.folder_permissions
            ],
            opts=opts,
        )
    for uid, source in wanted.data_sources.items():
        sealed = _secret_texts(source.secure_json_data)
        grafana.oss.DataSource(
            f"data-source-{uid}",
            name=uid,
            uid=uid,
            type=source.type,
            url=source.url or None,
            access_mode="proxy",
            basic_auth_enabled=source.basic_auth_enabled or None,
            basic_auth_username=source.basic_auth_username or None,
            database_name=source.database_name or None,
            username=source.username or None,
            json_data_encoded=json.dumps(source.json_data) if source.json_data else None,
            secure_json_data_encoded=sealed.apply(json.dumps) if sealed else None,
            http_headers=_secret_texts(source.http_headers),
            opts=opts,
        )


def _data_source_url(settings: Settings) -> str:
    """Return Prometheus' URL; with Thanos the querier's, which has all servers and old blocks."""
    if settings.thanos.on:
        return f"{settings.scheme}://{QUERIER}:{HTTP_PORT}"
    return f"{settings.scheme}://{settings.reach('prometheus', from_='grafana')}"


def _asked(settings: Settings) -> str:
    return QUERIER if settings.thanos.on else "prometheus"


def _data_source(settings: Settings) -> dict[str, str | bool]:
    options: dict[str, str | bool] = {
        "httpMethod": "POST",
        "timeInterval": settings.scrape_interval,
    }
    if settings.thanos.on:
        options["prometheusType"] = "Thanos"
    if settings.tls:
        options |= {"tlsAuthWithCACert": True, "serverName": settings.server_name(_asked(settings))}
    return options


def _secret_texts(values: Mapping[str, SecretStr]) -> pulumi.Output[dict[str, str]] | None:
    found = {name: value.get_secret_value() for name, value in values.items()}
    return pulumi.Output.secret(found) if found else None


def _data_source_secrets(settings: Settings) -> pulumi.Output[str] | None:
    if not settings.tls:
        return None
    password = settings.web_password.get_secret_value()
    return pulumi.Output.secret(
        json.dumps({"basicAuthPassword": password, "tlsCACert": settings.tls_ca})
    )
