"""The hosts and the monitoring: what goes wrong seldom, at the foot of their dashboards."""

from components.dashboards.faults import Lines, Panels, bands


def host(y: int, inside: str, mounts: str) -> Panels:
    """What fills up or fails on a host beside CPU, memory and space."""
    return bands(
        y,
        Lines(
            "Inodes free",
            "The share of inodes left on each file system. At 0 no file can be made, whatever "
            "room is left (InodesLow, InodesExhausted).",
            (
                (
                    "min by (instance, mountpoint) (100 * "
                    f"instance_mountpoint:node_filesystem_files_free:ratio{mounts})",
                    "{{mountpoint}} · {{instance}}",
                ),
            ),
            "percent",
        ),
        Lines(
            "Network errors",
            "Damaged packets a second on each interface. More than 1% of all: NetworkErrors.",
            (
                (
                    "max by (instance, device) "
                    f"(instance_device:node_network_errors:rate5m{inside})",
                    "{{device}} · {{instance}}",
                ),
            ),
            "pps",
        ),
        Lines(
            "Clock",
            "How far each clock is off, and 1 where a time service corrects it. 0 is bad "
            "(ClockNotSynchronised).",
            (
                (
                    f"max by (instance) (abs(node_timex_offset_seconds{inside}))",
                    "off by (s) · {{instance}}",
                ),
                (
                    f"min by (instance) (node_timex_sync_status{inside})",
                    "synchronised · {{instance}}",
                ),
            ),
        ),
        Lines(
            "Restarts and OOM kills",
            "Processes that the kernel killed for lack of memory, and outages of node_exporter, "
            "within 15 minutes.",
            (
                (
                    f"sum by (instance) (increase(node_vmstat_oom_kill{inside}[15m]))",
                    "OOM kills · {{instance}}",
                ),
                (
                    f"max by (instance) (instance:node_exporter_outages:count15m{inside})",
                    "outages · {{instance}}",
                ),
            ),
        ),
        Lines(
            "Kernel tables",
            "The share of the host's file descriptors and of the firewall's connection table in "
            "use.",
            (
                (
                    "100 * max by (instance) (node_filefd_allocated"
                    f"{inside} / node_filefd_maximum{inside})",
                    "descriptors · {{instance}}",
                ),
                (
                    "100 * max by (instance) (node_nf_conntrack_entries"
                    f"{inside} / node_nf_conntrack_entries_limit{inside})",
                    "connections · {{instance}}",
                ),
            ),
            "percent",
        ),
        Lines(
            "Collectors that fail",
            "Parts of node_exporter that failed at the last scrape. Some fail on every host that "
            "lacks what they look for; NodeCollectorFailing names those that matter.",
            (
                (
                    f"count by (instance, collector) (node_scrape_collector_success{inside} == 0)",
                    "{{collector}} · {{instance}}",
                ),
            ),
        ),
    )


def monitoring(y: int) -> Panels:
    """What Prometheus misses, refuses or cannot do."""
    return bands(
        y,
        Lines(
            "Restarts",
            "Times a part of the monitoring went down or restarted within 15 minutes "
            "(MonitoringFlapping above 2).",
            (
                (
                    "max by (job, instance) (instance:monitoring_outages:count15m)",
                    "{{job}} · {{instance}}",
                ),
            ),
        ),
        Lines(
            "Rule evaluation",
            "How long each group of rules takes. Longer than its interval, evaluations are missed "
            "(PrometheusRulesMissed).",
            (
                (
                    "max by (rule_group) (prometheus_rule_group_last_duration_seconds)",
                    "{{rule_group}}",
                ),
            ),
            "s",
        ),
        Lines(
            "Storage and discovery failures",
            "Failures of Prometheus' storage within 3 hours and of its discovery within 15 "
            "minutes.",
            (
                ("sum by (what) (what:prometheus_storage_failures:increase3h)", "{{what}}"),
                (
                    "sum by (mechanism) (mechanism:prometheus_discovery_failures:increase15m)",
                    "discovery: {{mechanism}}",
                ),
            ),
        ),
        Lines(
            "Samples refused",
            "Times that samples were refused within 15 minutes, and why.",
            (("sum by (why) (why:prometheus_samples_refused:increase15m)", "{{why}}"),),
        ),
        Lines(
            "File descriptors",
            "The share of its file descriptors that each part of the monitoring has open.",
            (
                (
                    '100 * max by (job, instance) (process_open_fds{job!="backend"} '
                    '/ process_max_fds{job!="backend"})',
                    "{{job}} · {{instance}}",
                ),
            ),
            "percent",
        ),
        Lines(
            "Metrics missing",
            "Metrics that alerts need and that a target exported within 6 hours, but does not "
            "now. The alerts that read them cannot fire.",
            (
                (
                    'count by (job, metric) (ALERTS{alertname=~".*MetricsMissing"})',
                    "{{metric}} · {{job}}",
                ),
            ),
        ),
    )
