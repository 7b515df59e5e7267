"""Settings of a stack: name, type, default and bounds of each.

A field `retention_time` is the config key `vitalstream:retentionTime`; `Pulumi.yaml` describes
each for `pulumi config`. `settings_loader` reads them and words the errors; nothing else reads
Pulumi config.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated

from pydantic import Field, SecretStr, StrictBool, ValidationInfo, field_validator

from components.catalog import replicas
from components.catalog.images import IMAGES
from components.catalog.monitored import DEFAULT_MONITORED, not_monitored
from components.catalog.services import SERVICES, Limit
from components.common.model import Frozen, known_service
from components.common.problems import Problem, Problems, raise_if_any
from components.common.quantities import duration_seconds
from components.promql.metric_allowlist import KeptMetric
from components.rules import lost_scrapes, slo
from components.rules import overrides as alert_overrides
from components.rules.overrides import AlertName, AlertOverride
from components.rules.slo import SloObjective
from components.settings import remote_write
from components.settings import thanos as thanos_settings
from components.settings.hosts import PLACED_EXPORTERS
from components.settings.logins import AdminLogin
from components.settings.network_pool import NetworkPool
from components.settings.passwords import OneLine, Password
from components.settings.remote_write import RemoteWrite
from components.settings.routing import RoutingSettings
from components.settings.thanos import ThanosSettings
from components.settings.types import (
    BodySize,
    Cpus,
    DockerHost,
    Duration,
    Image,
    Memory,
    NetworkName,
    RegistryPrefix,
    SampleLimit,
    Size,
)
from components.user_files import dashboards, rules
from components.user_files.rules import RuleDefaults

# Prometheus looks back 5 minutes for a sample: with a longer interval one missed scrape or
# evaluation already makes a series stale, and every `rate(...[5m])` has too few points.
MAX_INTERVAL_SECONDS = 120
MIN_INTERVAL_SECONDS = 1
MIN_RETENTION_SECONDS = 2 * 3600


class LimitOverride(Frozen):
    """Resource limits of a container: memory as `512m`, CPUs as a number of cores."""

    memory: Memory | None = None
    cpus: Cpus | None = None


LimitedService = Annotated[str, known_service(frozenset(SERVICES), "limits")]
ImageService = Annotated[str, known_service(frozenset(IMAGES), "an image")]


class Settings(RoutingSettings):
    """One stack's settings, checked. Secrets are `SecretStr`: printing the object shows none."""

    demo: StrictBool = False
    protect_data: StrictBool = False

    retention_time: Duration = "7d"
    retention_size: Size = "10GB"
    scrape_interval: Duration = "15s"
    evaluation_interval: Duration = "15s"
    sample_limit: SampleLimit = 50_000
    body_size_limit: BodySize = "32MB"
    native_histograms: StrictBool = False
    keep_only_what_is_read: StrictBool = False
    keep_metrics: tuple[KeptMetric, ...] = ()
    # Replaced by keep_only_what_is_read, and read by nothing. Not in Pulumi.yaml: with a default
    # there the engine would pass it whether it is set or not.
    keep_all_metrics: StrictBool = True
    remote_write: tuple[RemoteWrite, ...] = Field(default=(), repr=False)

    thanos: ThanosSettings = ThanosSettings()
    thanos_access_key: OneLine = SecretStr("")
    thanos_secret_key: OneLine = SecretStr("")

    docker_host: DockerHost = "unix:///var/run/docker.sock"
    docker_cert_path: str = ""
    application_networks: tuple[NetworkName, ...] = ()
    network_pool: NetworkPool = ""

    grafana_admin_user: AdminLogin = "admin"
    grafana_admin_password: Password
    grafana_database_password: OneLine = Field(default=SecretStr(""), validate_default=True)

    # Checked also by default: whether `scrape_interval` is too long depends on it.
    alerts: dict[AlertName, AlertOverride] = Field(default={}, validate_default=True)
    extra_rules_defaults: RuleDefaults = RuleDefaults()
    extra_rules: tuple[str, ...] = Field(default=(), validate_default=True)
    dashboards_folder: str = ""
    # Checked also by default: whether an alert can still fire depends on `alerts` too.
    slo_objective: SloObjective = Field(default=slo.DEFAULT, validate_default=True)

    images: dict[ImageService, Image] = {}
    image_registry_mirror: RegistryPrefix = ""
    limits: dict[LimitedService, LimitOverride] = {}

    @field_validator("demo")
    @classmethod
    def _validate_demo(cls, demo: bool, info: ValidationInfo) -> bool:
        if demo and (left_out := not_monitored(info.data.get("watch", DEFAULT_MONITORED))):
            raise ValueError(
                f"is true, and `watch` leaves out {' and '.join(left_out)}: the demo is of all four"
            )
        for name, host in info.data.get("placement", {}).items() if demo else ():
            if name in PLACED_EXPORTERS:
                raise ValueError(
                    f"is on, and runs on dockerHost, where {name} on {host} cannot see it: take "
                    f"placement.{name} out"
                )
        return demo

    @field_validator("scrape_interval", "evaluation_interval")
    @classmethod
    def _validate_interval(cls, value: str) -> str:
        seconds = duration_seconds(value)
        if seconds > MAX_INTERVAL_SECONDS:
            raise ValueError(
                "is longer than 2m: Prometheus forgets a series after 5m without a sample, "
                "so one that is missed would already open a gap"
            )
        if seconds < MIN_INTERVAL_SECONDS:
            raise ValueError("is shorter than 1s, which would keep every target busy with answers")
        return value

    @field_validator("retention_time")
    @classmethod
    def _validate_retention(cls, value: str) -> str:
        if duration_seconds(value) < MIN_RETENTION_SECONDS:
            raise ValueError("is shorter than 2h, the length of Prometheus' first block")
        return value

    @field_validator("keep_all_metrics")
    @classmethod
    def _validate_keep_all_metrics(cls, everything: bool, info: ValidationInfo) -> bool:
        only_read = info.data.get("keep_only_what_is_read")
        if everything == only_read:
            problem = (
                f"contradicts keepOnlyWhatIsRead = {str(only_read).lower()}, which replaces it"
            )
            stack = f"--stack {info.data['stack']}"
            wanted = f"pulumi config set keepOnlyWhatIsRead {str(not everything).lower()} {stack}"
            fix = f"pulumi config rm keepAllMetrics {stack}; to store what it said, also {wanted}"
            raise Problems([Problem((), problem, fix)])
        return everything

    @field_validator("remote_write")
    @classmethod
    def _validate_remote_write(cls, receivers: tuple[RemoteWrite, ...]) -> tuple[RemoteWrite, ...]:
        return remote_write.checked(receivers)

    @field_validator("thanos")
    @classmethod
    def _validate_thanos(cls, thanos: ThanosSettings, info: ValidationInfo) -> ThanosSettings:
        raise_if_any(thanos_settings.problems(thanos))
        for name, host in info.data.get("placement", {}).items() if thanos.on else ():
            if replicas.base(name) in ("prometheus", "grafana"):
                raise ValueError(
                    f"is on, and runs on dockerHost, where it has no network in common with {name} "
                    f"on {host}: take placement.{name} out"
                )
        return thanos

    @field_validator("thanos_access_key", "thanos_secret_key")
    @classmethod
    def _validate_thanos_key(cls, key: SecretStr, info: ValidationInfo) -> SecretStr:
        thanos = info.data.get("thanos")
        if thanos and (problem := thanos_settings.key_problem(key, thanos)):
            raise ValueError(problem)
        return key

    @field_validator("docker_cert_path")
    @classmethod
    def _validate_docker_cert_path(cls, path: str, info: ValidationInfo) -> str:
        docker = info.data.get("docker_host", "tcp://")
        if path and not docker.startswith("tcp://"):
            raise ValueError(f"is of no use with dockerHost {docker}: it is for tcp://")
        return path

    @field_validator("application_networks")
    @classmethod
    def _validate_networks(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name, count in Counter(names).items():
            if count > 1:
                raise ValueError(f"has {name} twice")
        return names

    @field_validator("grafana_database_password")
    @classmethod
    def _validate_grafana_database_password(
        cls, password: SecretStr, info: ValidationInfo
    ) -> SecretStr:
        grafana = info.data.get("grafana")
        if grafana and grafana.database and not password.get_secret_value():
            raise ValueError("is missing: grafana.database is set, and the two go together")
        return password

    @field_validator("grafana_admin_password", "grafana_database_password")
    @classmethod
    def _validate_grafana_secret(cls, password: SecretStr) -> SecretStr:
        # Grafana expands these in every value of its configuration (pkg/setting/expanders.go).
        if re.search(r"\$\{|\$__\w+\{", password.get_secret_value()):
            raise ValueError("has ${ or $__...{ in it, which Grafana would expand: choose another")
        return password

    @field_validator("alerts")
    @classmethod
    def _validate_alerts(
        cls, overrides: dict[str, AlertOverride], info: ValidationInfo
    ) -> dict[str, AlertOverride]:
        stack, interval = info.data["stack"], info.data.get("scrape_interval")
        found = alert_overrides.problems(stack, overrides)
        if interval and "watch" in info.data:
            found += lost_scrapes.problems(stack, interval, info.data["watch"], overrides)
        raise_if_any(found)
        return overrides

    @field_validator("extra_rules")
    @classmethod
    def _validate_extra_rules(cls, paths: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if defaults := info.data.get("extra_rules_defaults"):
            raise_if_any(rules.problems(paths, defaults))
        return paths

    @field_validator("dashboards_folder")
    @classmethod
    def _validate_dashboards_folder(cls, folder: str, info: ValidationInfo) -> str:
        if grafana := info.data.get("grafana"):
            raise_if_any(dashboards.problems(folder, sources=grafana.source_types))
        return folder

    @field_validator("slo_objective")
    @classmethod
    def _validate_slo_objective(cls, percent: str, info: ValidationInfo) -> str:
        raise_if_any(slo.problems(percent, info.data.get("alerts", {})))
        return percent

    @property
    def prometheus_retention(self) -> str:
        """Local retention of Prometheus."""
        return self.thanos.local_retention if self.thanos.on else self.retention_time

    @property
    def history(self) -> str:
        """Time range that Grafana can query, through downsampled blocks if there are any."""
        if not self.thanos.on:
            return self.retention_time
        kept = self.thanos.retention
        return kept.one_hour if self.thanos.downsampling else kept.raw

    def limit(self, service: str) -> Limit:
        service = replicas.base(service)
        default = SERVICES[service].limit
        override = self.limits.get(service, LimitOverride())
        return Limit(
            memory=override.memory or default.memory,
            cpus=default.cpus if override.cpus is None else override.cpus,
        )

    def image(self, service: str) -> str:
        """Return a service's image reference: the override, or the table's, through the mirror."""
        if service in self.images:
            return self.images[service]
        reference = IMAGES[service].reference
        mirror = self.image_registry_mirror
        return f"{mirror}/{reference}" if mirror else reference
