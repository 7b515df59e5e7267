"""Probes: can people reach it, how fast, and for how long is its certificate valid."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from components.dashboards import overrides, panels
from components.dashboards.frame import DashboardSpec, Variable
from components.dashboards.panels import GridPos, PanelOptions, Query
from components.dashboards.thresholds import AlertThresholds, Threshold, steps

_IN = '{instance=~"$probe"}'
_RAW = '{job="probe", instance=~"$probe"}'
_NONE = "No probe reports"
_UNENCRYPTED = "No probe of something encrypted"


def spec(alerts: AlertThresholds) -> DashboardSpec:
    """Return the dashboard of what is asked from outside."""
    return DashboardSpec(
        stem="probes",
        title="VitalStream Probes",
        description="What people reach, asked from outside: is it there, how fast, how long valid?",
        variables=[Variable("probe", "Probe", "instance:probe_success:min", "instance")],
        panels=[*_stats(alerts), *_over_time(alerts)],
    )


def _stats(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    slow, expiring = alerts["ProbeSlow"], alerts["ProbeCertificateExpiring"]
    return [
        panels.stat(
            PanelOptions(
                title="Probes Failing",
                description=(
                    "Probes that are not answered as expected. Above zero: people cannot reach "
                    "something (ProbeFailed)."
                ),
                grid_pos=GridPos(0, 0, 8, 4),
                unit="none",
                empty=_NONE,
            ),
            Query(
                f"count(instance:probe_success:min{_IN} == 0) "
                f"or 0 * count(instance:probe_success:min{_IN})",
                "failing",
            ),
            bound=steps(Threshold(1, fires_below=False, colour="red")),
        ),
        panels.stat(
            PanelOptions(
                title="Slowest Probe",
                description=(
                    "How long the slowest answer takes, over 5 minutes. "
                    f"ProbeSlow warns above {slow.value:g} s."
                ),
                grid_pos=GridPos(8, 0, 8, 4),
                unit="s",
                empty=_NONE,
            ),
            Query(f"max(instance:probe_duration_seconds:avg5m{_IN})", "duration"),
            bound=steps(slow),
        ).decimals(2),
        panels.stat(
            PanelOptions(
                title="Next Certificate to End",
                description=(
                    "Days until the first certificate ends. "
                    f"ProbeCertificateExpiring warns below {expiring.value:g}."
                ),
                grid_pos=GridPos(16, 0, 8, 4),
                unit="none",
                empty=_UNENCRYPTED,
            ),
            Query(f"min(instance:probe_certificate_left:days{_IN})", "days"),
            bound=steps(expiring),
            sparkline=False,
            missing="text",
        ).decimals(0),
    ]


def _over_time(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    return [
        panels.table(
            PanelOptions(
                title="Probes",
                description=(
                    "Every probe, whether it was answered as expected, and for how many days its "
                    "certificate is valid; failing first."
                ),
                grid_pos=GridPos(0, 4, 12, 9),
                unit="none",
                empty=_NONE,
            ),
            Query(f"min by (instance, target) (instance:probe_success:min{_IN})", "State"),
            Query(f"min by (instance, target) (instance:probe_certificate_left:days{_IN})", "Days"),
            keys={"instance": "Probe", "target": "Target"},
            sort_by="State",
            descending=False,
        )
        .override_by_name("State", overrides.up_or_down_column())
        .override_by_name(
            "Days",
            [
                *overrides.column("none", alerts["ProbeCertificateExpiring"], width=80),
                dashboard.DynamicConfigValue("decimals", 0),
            ],
        ),
        panels.timeseries(
            PanelOptions(
                title="Duration",
                description=(
                    "How long each probe takes, looking up its name and connecting included. The "
                    "dashed line is where ProbeSlow warns."
                ),
                grid_pos=GridPos(12, 4, 12, 9),
                unit="s",
                empty=_NONE,
            ),
            Query(f"max by (instance) (probe_duration_seconds{_RAW})", "{{instance}}"),
            bound=alerts["ProbeSlow"],
        ),
        panels.timeseries(
            PanelOptions(
                title="Phases of HTTP",
                description=(
                    "Where the time of a URL goes: look-up of the name, connecting, TLS, the "
                    "server (processing), the transfer."
                ),
                grid_pos=GridPos(0, 13, 12, 9),
                unit="s",
                empty="No probe of a URL",
            ),
            Query(
                f"max by (instance, phase) (probe_http_duration_seconds{_RAW})",
                "{{instance}} · {{phase}}",
            ),
        ),
        panels.timeseries(
            PanelOptions(
                title="HTTP Status",
                description="The status that each URL answered with last. 0: there was no answer.",
                grid_pos=GridPos(12, 13, 12, 9),
                unit="none",
                empty="No probe of a URL",
            ),
            Query(f"max by (instance) (probe_http_status_code{_RAW})", "{{instance}}"),
        ),
        panels.timeseries(
            PanelOptions(
                title="Phases of DNS and Ping",
                description=(
                    "Where the time of a DNS query and of a ping goes: look-up of the server's "
                    "name, connecting or setup, the query (request), the way there and back (rtt)."
                ),
                grid_pos=GridPos(0, 22, 24, 8),
                unit="s",
                empty="No probe of a DNS server or by ping",
            ),
            Query(
                f"max by (instance, phase) (probe_dns_duration_seconds{_RAW})",
                "{{instance}} · {{phase}}",
            ),
            Query(
                f"max by (instance, phase) (probe_icmp_duration_seconds{_RAW})",
                "{{instance}} · {{phase}}",
            ),
        ),
    ]
