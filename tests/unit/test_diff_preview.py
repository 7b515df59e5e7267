"""The report from an engine's preview."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.review.diff import compose, preview
from ops.review.diff.comparison import DiffError, Op
from ops.review.diff.report import Report, Section
from ops.review.diff.snapshot import (
    CONFIG_FILES,
    CONTAINER,
    DASHBOARD,
    SECRET,
    Snapshot,
)
from tests.unit import diff_previews as previews
from tests.unit import diff_stacks as stacks
from tests.unit.test_diff_edits import EDITS

# A preview does not know the settings before; of the details it does not know which secret file.
SAME = tuple(s for s in Section if s not in (Section.SETTINGS, Section.DETAILS))
# The reason is in the settings; and an option of a resource that the preview lacks.
OF_ONE_SOURCE = (
    "an alert disabled",
    "an option of Pulumi",
    # The engine does not say which secret file changed, and another of Grafana's is a restart.
    "Grafana's password",
)


@pytest.fixture(scope="module")
def prod() -> Snapshot:
    return stacks.stack("prod")


def report_of(document: dict[str, Any], folder: Path) -> Report:
    return compose.report(preview.compare(previews.write(folder, document)))


def steps_of(document: dict[str, Any], name: str, kind: str = "") -> dict[str, Any]:
    found: dict[str, Any] = next(
        step
        for step in document["steps"]
        if step["urn"].endswith(f"{kind}::{name}") and "oldState" in step
    )
    return found


@pytest.mark.parametrize("name", [name for name in EDITS if name not in OF_ONE_SOURCE])
def test_report_of_an_edit_from_preview_and_base_has_equal_sections(
    name: str, prod: Snapshot, tmp_path: Path
) -> None:
    after = replace(EDITS[name].edit(prod), settings=None)
    comparison = stacks.compared(replace(prod, settings=None), after)
    rendered = compose.report(comparison)
    planned = report_of(previews.document(comparison), tmp_path)
    for section in SAME:
        assert planned.sections[section] == rendered.sections[section]
    assert planned.changes is rendered.changes


def test_report_of_unchanged_preview_is_one_line(prod: Snapshot, tmp_path: Path) -> None:
    found = report_of(previews.document(stacks.compared(prod, prod)), tmp_path)
    assert stacks.printed(found) == "prod: nothing changes\n"


def whole(prod: Snapshot) -> dict[str, Any]:
    return previews.document(stacks.compared(prod, prod))


def changed(
    document: dict[str, Any], name: str, kind: str, outputs: dict[str, Any], *reasons: str
) -> dict[str, Any]:
    """Add a manual change, as after `--refresh`."""
    step = steps_of(document, name, kind)
    step |= {"op": "update", "diffReasons": list(reasons)}
    step["oldState"]["outputs"] = {**step["oldState"]["outputs"], **outputs}
    document["changeSummary"]["same"] -= 1
    return document


def test_drift_of_a_file_is_reported(prod: Snapshot, tmp_path: Path) -> None:
    document = whole(prod)
    files = steps_of(document, "prometheus-config")["oldState"]["inputs"]["files"]
    text = files["rules/backend.yml"].replace("ratio_rate5m > 5", "ratio_rate5m > 50")
    by_hand = {"files": {**files, "rules/backend.yml": text}}
    changed(document, "prometheus-config", CONFIG_FILES, by_hand)
    found = stacks.printed(report_of(document, tmp_path))
    assert 'ConfigFiles prometheus-config was changed: files["rules/backend.yml"]' in found
    assert "its files were changed manually and are restored" in found
    assert "threshold: > 50 -> > 5" in found


def test_drift_of_a_dashboard_is_reported(prod: Snapshot, tmp_path: Path) -> None:
    document = whole(prod)
    content = json.loads(steps_of(document, "redis", DASHBOARD)["oldState"]["inputs"]["configJson"])
    title = content["panels"][0]["title"]
    content["panels"][0]["title"] = "By hand"
    for panel in content["panels"]:
        del panel["id"]
    changed(document, "redis", DASHBOARD, {"configJson": json.dumps(content)}, "configJson")
    found = stacks.printed(report_of(document, tmp_path), Section.DASHBOARDS, Section.DRIFT)
    assert "Dashboard redis was changed" in found
    assert f"title: By hand -> {title}" in found
    assert found.count("panel ") == 1


def test_drift_of_a_limit_is_reported(prod: Snapshot, tmp_path: Path) -> None:
    document = changed(whole(prod), "grafana", CONTAINER, {"memory": 64}, "memory")
    found = stacks.printed(report_of(document, tmp_path))
    assert "Container grafana was changed: memory" in found
    assert "memory: 64 -> 512" in found


def test_drift_of_a_removed_container_is_reported(prod: Snapshot, tmp_path: Path) -> None:
    document = whole(prod)
    step = steps_of(document, "redis-exporter", CONTAINER)
    document["steps"].insert(0, {**step, "op": "refresh"})
    step["op"] = "create"
    del step["oldState"]
    document["changeSummary"]["same"] -= 1
    found = stacks.printed(report_of(document, tmp_path))
    assert "Container redis-exporter was removed; it is recreated" in found


def test_refresh_without_drift_reports_nothing(prod: Snapshot, tmp_path: Path) -> None:
    document = whole(prod)
    document["steps"] += [{**step, "op": "refresh"} for step in document["steps"]]
    assert not report_of(document, tmp_path).changes


def test_update_without_visible_change_is_a_secret_change(prod: Snapshot, tmp_path: Path) -> None:
    document = changed(whole(prod), "postgres-exporter-config", CONFIG_FILES, {})
    found = stacks.printed(report_of(document, tmp_path))
    assert "INTERRUPTS postgres-exporter is restarted to read its files" in found
    assert "because of secret files" in found


def test_update_without_explanation_is_reported(prod: Snapshot, tmp_path: Path) -> None:
    document = whole(prod)
    step = next(one for one in document["steps"] if "Folder" in one["urn"])
    step |= {"op": "update", "diffReasons": []}
    document["changeSummary"]["same"] -= 1
    assert "Folder folder updated" in stacks.printed(report_of(document, tmp_path))


def test_step_of_unknown_kind_is_an_update(prod: Snapshot, tmp_path: Path) -> None:
    document = changed(whole(prod), "grafana", CONTAINER, {}, "memory")
    steps_of(document, "grafana", CONTAINER)["op"] = "something-new"
    comparison = preview.compare(previews.write(tmp_path, document))
    assert [step.op for step in comparison.steps.values()] == [Op.UPDATE]


def test_engine_internal_resources_are_ignored(prod: Snapshot, tmp_path: Path) -> None:
    document = whole(prod)
    base = "urn:pulumi:prod::vitalstream::pulumi"
    for name in ("pulumi:Stack::vitalstream-prod", "providers:pulumi-python::default"):
        document["steps"].append({"op": "create", "urn": f"{base}:{name}", "newState": {}})
    assert not report_of(document, tmp_path).changes


# As the engine says it of a plugin that it stopped, whole preview or not.
EXITED = (
    "error: Detected that /plugins/resource-grafana-v2.44.0/pulumi-resource-grafana exited "
    "prematurely. \n       This is *always* a bug in the provider. Please report the issue to the "
    "provider author as appropriate.\n"
)


def test_plugin_stopped_after_the_plan_is_a_note(prod: Snapshot, tmp_path: Path) -> None:
    document = whole(prod)
    document["diagnostics"] = [{"message": EXITED, "severity": "error"}] * 2
    found = report_of(document, tmp_path)
    assert not found.failed
    assert not found.changes
    assert "The engine stopped pulumi-resource-grafana after" in stacks.printed(found)


def test_plugin_crash_fails_the_report(prod: Snapshot, tmp_path: Path) -> None:
    document = whole(prod)
    others = {"message": "error: error reading from server: EOF\n", "severity": "error"}
    document["diagnostics"] = [{"message": EXITED, "severity": "error"}, others]
    found = report_of(document, tmp_path)
    assert found.failed
    assert "error reading from server: EOF" in stacks.printed(found)


def test_plugin_crash_before_the_plan_fails_the_report(prod: Snapshot, tmp_path: Path) -> None:
    document = whole(prod)
    document["diagnostics"] = [{"message": EXITED, "severity": "error"}]
    del document["changeSummary"]
    found = report_of(document, tmp_path)
    assert found.failed
    assert "exited prematurely" in stacks.printed(found)


def test_failed_preview_is_quoted(prod: Snapshot, tmp_path: Path) -> None:
    document = whole(prod)
    document["diagnostics"] = [
        {"message": "warning: words", "severity": "warning"},
        {"message": "\x1b[31merror: volume is protected\x1b[0m\n", "severity": "error"},
    ]
    found = report_of(document, tmp_path)
    assert found.failed
    assert "cannot be compared: the engine's preview failed" in stacks.printed(found)
    assert "  volume is protected\n" in stacks.printed(found)
    assert "words" not in stacks.printed(found).replace("of its own", "")


def cut_short(text: str) -> str:
    return text[: len(text) // 2]


def without_sames(text: str) -> str:
    document = json.loads(text)
    document["steps"] = [step for step in document["steps"] if step["op"] != "same"]
    return json.dumps(document)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (cut_short, "is cut short"),
        (lambda _text: "", "is no JSON"),
        (lambda text: f"warning: words\n{text}", "is no JSON"),
        (lambda _text: "[]", "is not a preview"),
        (lambda _text: '{"steps": 1}', "is not a preview"),
        (lambda _text: '{"steps": []}', "is not a complete preview"),
        (lambda _text: '{"steps": [], "changeSummary": {}}', "has no resource in it"),
        (without_sames, "Add --show-sames"),
    ],
)
def test_incomplete_preview_file_is_refused(
    spoil: Any, words: str, prod: Snapshot, tmp_path: Path
) -> None:
    path = previews.write(tmp_path, whole(prod))
    path.write_text(spoil(path.read_text()))
    with pytest.raises(DiffError, match=words):
        preview.compare(path)


def test_missing_preview_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DiffError, match="cannot be read"):
        preview.compare(tmp_path / "none.json")


def test_secret_routes_are_reported_as_unreadable(tmp_path: Path) -> None:
    """Use the routes of a version that kept the whole file secret."""

    def as_secret(text: str) -> Callable[[dict[str, Any]], None]:
        def change(inputs: dict[str, Any]) -> None:
            inputs["files"].pop("alertmanager.yml")
            inputs["secret_files"] = {SECRET: text}

        return change

    before, after = (
        stacks.edited(stacks.stack("prod"), CONFIG_FILES, "alertmanager-config", as_secret(text))
        for text in ("one", "other")
    )
    found = report_of(previews.document(stacks.compared(before, after)), tmp_path)
    assert "its routing cannot be read from this preview" in stacks.printed(found)
