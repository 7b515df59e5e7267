"""Prometheus' container, rules and retention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components.docker import tls_files
from components.docker.config_files import NoAction, ReloadOnChange
from components.docker.container import ContainerSpec, Network, http_probe
from components.docker.service import Service, ServiceFiles, ServiceSpec
from components.prometheus import backend_groups, discovery, federation, remote_write, scrape_jobs
from components.prometheus.config import CONFIG_DIR, PORT, render_config
from components.promql.metric_allowlist import KEEP_ALL, KeepList
from components.settings.settings import Settings
from components.user_files.paths import TARGETS_FOLDER

DATA_DIR = "/prometheus"


def spec(
    settings: Settings,
    rules: Mapping[str, str],
    keep: KeepList = KEEP_ALL,
    name: str = "prometheus",
) -> ServiceSpec:
    """Return one of the servers with its configuration; `rules` are texts of rule files by file
    name.
    """
    return ServiceSpec(
        ContainerSpec(
            service=name,
            command=[
                f"--config.file={CONFIG_DIR}/prometheus.yml",
                f"--storage.tsdb.path={DATA_DIR}",
                f"--storage.tsdb.retention.time={settings.prometheus_retention}",
                f"--storage.tsdb.retention.size={settings.retention_size}",
                *_block_flags(settings),
                # Prometheus 3.8 and newer have it without the flag, which they accept.
                *(["--enable-feature=native-histograms"] if settings.native_histograms else []),
                # The URL of links in alerts. The admin and lifecycle APIs stay off: a reload
                # is a signal, so that nobody on the network can stop the server or delete data.
                f"--web.external-url={settings.url(name)}",
                *tls_files.server_flags(settings, CONFIG_DIR),
            ],
            probe=_probe(settings),
            port=PORT,
            stop_seconds=30,
        ),
        files=ServiceFiles(
            target=CONFIG_DIR,
            files={
                "prometheus.yml": render_config(settings, keep, name),
                **{f"rules/{name}": text for name, text in rules.items()},
                **federation.files(settings.federation),
                **remote_write.files(settings),
                **backend_groups.files(settings.backend),
                **discovery.load(settings.backend_target_files),
            },
            secret_files={
                **tls_files.server_files(settings, password=True),
                **tls_files.client_files(settings, CONFIG_DIR, "prometheus"),
                **tls_files.versioned_password(settings),
                **remote_write.secret_files(settings),
                **federation.secret_files(settings.federation),
                **backend_groups.secret_files(settings),
                **scrape_jobs.secret_files(settings),
            },
            checker=("promtool", "check", "config", f"{CONFIG_DIR}/prometheus.yml"),
            on_change=ReloadOnChange(),
            on_change_by_path={
                path: NoAction()
                for path, used in (
                    (tls_files.FOLDER, True),
                    # Set only where they are used, so that other stacks' inputs do not change.
                    (TARGETS_FOLDER, settings.backend_target_files),
                    (remote_write.FOLDER, settings.remote_write),
                    (federation.FOLDER, settings.federation),
                    (backend_groups.FOLDER, settings.backend),
                    (scrape_jobs.FOLDER, settings.scrape_jobs),
                )
                if used
            },
        ),
        data_dir=DATA_DIR,
    )


def _block_flags(settings: Settings) -> list[str]:
    """Return the flags that stop compaction with Thanos, whose compactor merges uploaded blocks.

    https://thanos.io/tip/components/sidecar.md/#sidecar
    """
    if not settings.thanos.on:
        return []
    return [f"--storage.tsdb.{bound}-block-duration=2h" for bound in ("min", "max")]


def _probe(settings: Settings) -> str:
    if not settings.tls:
        return http_probe(PORT, "/-/ready")
    config = f"{CONFIG_DIR}/{tls_files.CLIENT}"
    return f"promtool check ready --http.config.file={config} --url=https://localhost:{PORT}"


class Prometheus(Service):
    """Create one Prometheus server, its data volume and its configuration."""

    def __init__(
        self,
        settings: Settings,
        name: str,
        rules: Mapping[str, str],
        keep: KeepList,
        networks: Sequence[Network],
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            "vitalstream:prometheus:Prometheus",
            settings,
            spec(settings, rules, keep, name),
            networks,
            opts,
            after=after,
        )
