"""Which receivers get an alert, by the tree of routes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.review.diff import routes, routing_parts
from ops.review.diff.report import plain
from ops.review.diff.routes import InhibitedBy, Ternary

KNOWN = {"alertname": "High", "severity": "critical", "service": "backend"}


def receivers(route: dict[str, Any], labels: dict[str, str] | None = None) -> dict[str, bool]:
    """Whether each receiver gets it for certain."""
    found = routes.deliveries(route, KNOWN if labels is None else labels)
    return {one.receiver: one.certain for one in found}


def route(receiver: str, *matchers: str, **more: Any) -> dict[str, Any]:
    return {"receiver": receiver, "matchers": list(matchers), **more}


def tree(*children: dict[str, Any]) -> dict[str, Any]:
    return {"receiver": "default", "routes": list(children)}


@pytest.mark.parametrize(
    ("matcher", "truth"),
    [
        ('severity="critical"', Ternary.YES),
        ("severity=critical", Ternary.YES),
        ('severity = "warning"', Ternary.NO),
        ('severity!="warning"', Ternary.YES),
        ('severity=~"crit.*|warn"', Ternary.YES),
        ('severity=~"crit"', Ternary.NO),
        ('severity!~"crit.*"', Ternary.NO),
        ('instance="a"', Ternary.MAYBE),
        ('severity=~"("', Ternary.MAYBE),
        ("what is this", Ternary.MAYBE),
        ('{severity="critical", service="backend"}', Ternary.YES),
        ('severity="critical",service="database"', Ternary.NO),
        (r'severity="crit\"ical"', Ternary.NO),
    ],
)
def test_a_matcher_matches_as_alertmanagers_do(matcher: str, truth: Ternary) -> None:
    assert routes.all_match(routes.matchers_of({"matchers": [matcher]}), KNOWN) is truth


def test_matchers_of_the_old_form_are_understood() -> None:
    old = {"match": {"severity": "critical"}, "match_re": {"service": "back.*"}}
    assert routes.all_match(routes.matchers_of(old), KNOWN) is Ternary.YES


def test_what_no_route_takes_goes_to_the_root() -> None:
    assert receivers(tree(route("other", 'severity="warning"'))) == {"default": True}


def test_the_first_route_that_matches_takes_it() -> None:
    assert receivers(tree(route("a", 'severity="critical"'), route("b"))) == {"a": True}


def test_a_route_that_continues_lets_others_have_it_too() -> None:
    first = route("a", 'severity="critical"', **{"continue": True})
    assert receivers(tree(first, route("b"))) == {"a": True, "b": True}


def test_a_route_below_takes_it_from_the_one_above() -> None:
    above = route("a", 'severity="critical"', routes=[route("b", 'service="backend"')])
    assert receivers(tree(above)) == {"b": True}


def test_a_route_without_a_receiver_has_that_of_the_one_above() -> None:
    child = {"matchers": ['severity="critical"'], "repeat_interval": "7h"}
    found = routes.deliveries({**tree(child), "group_wait": "9s"}, KNOWN)
    assert [(one.receiver, one.timing["repeat_interval"]) for one in found] == [("default", "7h")]
    assert found[0].timing["group_wait"] == "9s"


def test_an_unknown_label_leaves_both_ways_open() -> None:
    found = receivers(tree(route("a", 'instance="x"'), route("b", 'severity="critical"')))
    assert found == {"a": False, "b": False}


def test_an_unknown_label_of_a_route_that_continues_leaves_the_next_certain() -> None:
    first = route("a", 'instance="x"', **{"continue": True})
    assert receivers(tree(first, route("b"))) == {"a": False, "b": True}


def test_a_label_with_a_template_is_not_known() -> None:
    found = routes.known_labels("High", {"team": "{{ $labels.team }}", "severity": "a"}, {})
    assert found == {"alertname": "High", "severity": "a"}


def test_an_external_label_is_known_unless_the_alert_has_its_own() -> None:
    found = routes.known_labels("High", {"stack": "{{ $value }}"}, {"stack": "a", "site": "b"})
    assert found == {"alertname": "High", "site": "b"}


def inhibition(source: str, target: str, *equal: str) -> dict[str, Any]:
    return {"source_matchers": [source], "target_matchers": [target], "equal": list(equal)}


ALERTS = {
    "Down": [{"alertname": "Down", "severity": "critical", "service": "backend"}],
    "Slow": [{"alertname": "Slow", "severity": "warning", "service": "backend"}],
    "Full": [{"alertname": "Full", "severity": "warning", "service": "host"}],
}


def test_an_inhibition_holds_back_what_its_target_matches() -> None:
    rule = inhibition('alertname="Down"', 'severity="warning"')
    assert routes.holds([rule], ALERTS) == {
        InhibitedBy("Down", "Slow"),
        InhibitedBy("Down", "Full"),
    }


def test_an_inhibition_asks_for_labels_to_be_equal() -> None:
    rule = inhibition('alertname="Down"', 'severity="warning"', "service")
    assert routes.holds([rule], ALERTS) == {InhibitedBy("Down", "Slow")}


def test_alerts_on_both_sides_do_not_hold_each_other_back() -> None:
    rule = inhibition('service="backend"', 'service="backend"')
    assert routes.holds([rule], ALERTS) == set()


RECEIVERS = ("a", "b", "c", "d")
LABELS = {"severity": ("critical", "warning"), "service": ("backend", "database"), "team": ("x",)}


def random_route(choice: random.Random, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {"receiver": choice.choice(RECEIVERS)}
    if choice.random() < 0.5:
        found["continue"] = True
    name = choice.choice(list(LABELS))
    sign = choice.choice(["=", "!=", "=~", "!~"])
    found["matchers"] = [f'{name}{sign}"{choice.choice(LABELS[name])}"']
    if depth:
        found["routes"] = [random_route(choice, depth - 1) for _ in range(choice.randrange(3))]
    return found


@pytest.mark.parametrize("seed", range(12))
def test_amtool_agrees_on_a_tree_of_any_shape(
    seed: int, amtool: Callable[..., str], tmp_path: Path
) -> None:
    choice = random.Random(seed)
    root = {"receiver": "a", "routes": [random_route(choice, 2) for _ in range(3)]}
    config = {"route": root, "receivers": [{"name": name} for name in RECEIVERS]}
    file = tmp_path / "alertmanager.yml"
    file.write_text(yaml.safe_dump(config))
    labels = {name: choice.choice(values) for name, values in LABELS.items()}
    words = [f"{name}={value}" for name, value in labels.items()]
    said = amtool("config", "routes", "test", f"--config.file={file}", *words).strip()
    ours = [one.receiver for one in routes.deliveries(root, labels)]
    assert set(ours) == set(said.split(","))
    assert all(one.certain for one in routes.deliveries(root, labels))


def escalated(after: str | None, receiver: str = "head") -> dict[str, Any]:
    late = {"receiver": receiver, "group_by": ["..."], "group_wait": after}
    return {"route": tree(*([late] if after else []))}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, "30m", [("escalation to head added", "")]),
        ("30m", None, [("escalation to head removed", "weaker")]),
        ("30m", "1h", [("escalation to head changed", "weaker")]),
        ("1h", "30m", [("escalation to head changed", "")]),
        ("30m", "30m", []),
    ],
)
def test_escalation_that_goes_or_comes_later_is_weaker(
    old: str | None, new: str | None, expected: list[tuple[str, str]]
) -> None:
    found = routing_parts.items(escalated(old), escalated(new))
    assert [(plain(item.line), item.mark) for item in found] == expected


def test_mute_time_that_no_route_names_is_not_weaker() -> None:
    times = {"time_intervals": [{"name": "night", "time_intervals": [{}]}]}
    (item,) = routing_parts.items({}, times)
    assert (plain(item.line), item.mark) == ("mute time night added", "")


def test_receiver_that_loses_an_integration_is_weaker() -> None:
    both = {"name": "lab", "slack_configs": [{}], "email_configs": [{}]}
    one = {"name": "lab", "email_configs": [{}]}
    (item,) = routing_parts.items({"receivers": [both]}, {"receivers": [one]})
    assert (item.mark, item.why) == ("weaker", (("it no longer sends by slack",),))
