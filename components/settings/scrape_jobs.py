"""Scrape jobs in Prometheus' own schema: `scrapeJobs`.

promtool judges them in the preview; here are the mistakes that it cannot see. Schema:
https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from components.catalog import thanos
from components.catalog.balancer import SERVICE as BALANCER
from components.catalog.exporters import EXPORTERS
from components.common.problems import Problem
from components.common.quantities import duration_seconds
from components.settings.secrets import SECRET_FIELDS, UPSTREAM, Path
from components.settings.types import service_address
from components.settings.upstream import NO_FILE, file_name, leaf_problem, leaves

ScrapeJob = Annotated[dict[str, Any], UPSTREAM]
BUILT_IN = (
    "alertmanager", "backend", "federate", "grafana", "prometheus", BALANCER, *thanos.SERVICES,
    *(exporter.job for exporter in EXPORTERS),
)  # fmt: skip
# Of `up`: Prometheus forgets a sample after 5 minutes, and an alert on it would end.
MAX_INTERVAL_SECONDS = 120
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _./:-]{0,62}")
_OURS = ("job", "stack")
_DISCOVERIES = ("static_configs", "_sd_configs")


def problems(jobs: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    """Yield what promtool cannot see: names of ours, files that are not there, the loopback."""
    taken: dict[str, str] = {file_name((name,)): name for name in BUILT_IN}
    for index, job in enumerate(jobs):
        place = (str(index),)
        name = job.get("job_name", "")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            problem = "is not a job's name: letters, digits, `_`, `-`, `.`, `/`, 63 at most"
            yield Problem((*place, "job_name"), problem)
        elif name.startswith(("federate-", "backend-")) or file_name((name,)) in taken:
            ours = taken.get(file_name((name,)), name)
            whose = "of this program" if ours in BUILT_IN or ours == name else "of another entry"
            if ours == name and any(other.get("job_name") == name for other in jobs[:index]):
                whose = "of another entry"
            yield Problem((*place, "job_name"), f"is taken by a job {whose}: take another name")
        else:
            taken[file_name((name,))] = name
        if not any(key.endswith(_DISCOVERIES) for key in job):
            problem = "has no targets, such as static_configs: [{targets: [nginx-exporter:9113]}]"
            yield Problem(place, problem)
        yield from _interval_problems(job, place)
        for path, value in leaves(job):
            yield from _leaf_problems(path, value, place)


def _interval_problems(job: Mapping[str, Any], place: Path) -> Iterator[Problem]:
    try:
        seconds = duration_seconds(str(job.get("scrape_interval", "1m")))
    except ValueError:
        return  # promtool says what is wrong with it.
    if seconds > MAX_INTERVAL_SECONDS:
        problem = (
            "is longer than 2m: Prometheus forgets a series after 5m without a sample, so one that "
            "is missed would already end TargetDown"
        )
        yield Problem((*place, "scrape_interval"), problem)


def _leaf_problems(path: Path, value: Any, place: Path) -> Iterator[Problem]:
    field = path[-1]
    where = (*place, *path)
    if "labels" in path:
        if field in _OURS and path[-2] == "labels":
            yield Problem(where, f"sets the label {field}, by which alerts know the job and stack")
    elif field == "target_label" and value in _OURS:
        yield Problem(where, "is a label by which alerts know the job and the stack")
    elif path[0] == "params" and path[1] in SECRET_FIELDS and value:
        yield Problem(where, NO_FILE, hidden=True, remove=True)
    elif "file_sd_configs" in path or field == "kubeconfig_file":
        problem = "names files that are not in the container: static_configs, or dns_sd_configs"
        yield Problem(where, problem, remove=True)
    elif found := leaf_problem(path, value):
        yield replace(found, path=where)
    elif "static_configs" in path and "targets" in path:
        try:
            service_address(str(value))
        except ValueError as error:
            yield Problem(where, str(error))
