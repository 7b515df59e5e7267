"""Problems reported for an expression whose series or labels do not exist."""

from __future__ import annotations

import pytest

from tests.contract.reading import SCALAR, Reader
from tests.contract.recording import Metric, metrics_in

EXPOSED = """
# TYPE requests_total counter
requests_total{status="200",path="/"} 3
# TYPE seconds histogram
seconds_bucket{path="/",le="1"} 3
seconds_count{path="/"} 3
seconds_sum{path="/"} 3
# TYPE cpu_total counter
cpu_total{mode="idle",cpu="0"} 3
cpu_total{mode="user",cpu="0"} 3
"""
RULES = {"job:requests:rate5m": "sum by (job) (rate(requests_total[5m]))"}


@pytest.fixture
def reader() -> Reader:
    exposed = metrics_in([EXPOSED])
    buckets = Metric("histogram", exposed["seconds"].labels | {"le"}, {})
    series = exposed | {"seconds_bucket": buckets, "seconds_count": exposed["seconds"]}
    return Reader({"backend": series}, RULES)


@pytest.mark.parametrize(
    ("expr", "labels"),
    [
        ("requests_total", {"status", "path", "job", "instance"}),
        ('requests_total{job="backend"}', {"status", "path", "job", "instance"}),
        ("sum by (path) (rate(requests_total[5m]))", {"path"}),
        ("sum without (status, path) (requests_total)", {"job", "instance"}),
        ("sum(requests_total)", set()),
        ("topk(3, requests_total)", {"status", "path", "job", "instance"}),
        ('count_values("v", requests_total)', {"v"}),
        ("-(requests_total > 3)", {"status", "path", "job", "instance"}),
        ("histogram_quantile(0.9, sum by (le, path) (seconds_bucket))", {"path"}),
        ("max_over_time(job:requests:rate5m[1h:1m])", {"job"}),
        ("job:requests:rate5m / on (job) sum by (job) (up)", {"job"}),
        ("up * on (job) group_left (v) job:requests:rate5m", {"job", "instance", "v"}),
        ("requests_total and on (job) up", {"status", "path", "job", "instance"}),
        ("nobody_has_it or up", {"job", "instance"}),
        ("up unless nobody_has_it", {"job", "instance"}),
        ('absent(up{job="backend"})', {"job"}),
        ('label_replace(up, "a", "$1", "job", "(.*)")', {"job", "instance", "a"}),
        ('cpu_total{mode="idle"}', {"mode", "cpu", "job", "instance"}),
        ('cpu_total{core=~"|0"}', {"mode", "cpu", "job", "instance"}),
        ("vector(1)", set()),
        ("time() - 3", SCALAR),
    ],
)
def test_the_labels_of_an_expression_are_known(expr: str, labels: set[str], reader: Reader) -> None:
    assert (reader.read(expr), reader.faults) == (labels, [])


@pytest.mark.parametrize(
    "expr",
    [
        "nobody_has_it",
        'requests_total{job="node"}',
        'requests_total{method="GET"}',
        'requests_total{method!=""}',
        'requests_total{method=~".+"}',
        'cpu_total{mode="nice"}',
        'cpu_total{mode=~"nice|steal"}',
        "sum(nobody_has_it)",
        "up + nobody_has_it",
        "up and nobody_has_it",
        "nobody_has_it unless up",
    ],
)
def test_what_can_have_no_series_is_found(expr: str, reader: Reader) -> None:
    assert reader.read(expr) is None
    assert len(reader.missing) == 1


@pytest.mark.parametrize(
    ("expr", "fault"),
    [
        ("sum by (method) (requests_total)", "`sum by` names method"),
        ("max without (method) (requests_total)", "`max without` names method"),
        ("up and on (method) up", "`and on` names method"),
        ("job:requests:rate5m * on (job, instance) up", "`* on` names instance"),
        ("up * job:requests:rate5m", "`*` compares instance, job with job, which never agree"),
        ("up * ignoring (job) job:requests:rate5m", "`*` compares instance with no label"),
        ("histogram_quantile(0.9, seconds_count)", "`histogram_quantile` names le"),
    ],
)
def test_a_label_that_is_not_there_is_found(expr: str, fault: str, reader: Reader) -> None:
    reader.read(expr)
    assert any(found.startswith(fault) for found in reader.faults)


def test_fault_of_recorded_series_is_reported_for_its_rule_only(reader: Reader) -> None:
    broken = Reader(reader.jobs, {"a:b:c": "sum by (method) (requests_total)"})
    broken.read("a:b:c")
    assert broken.faults == []
