"""JSON output of reports.

`{"version": 1, "stacks": [...]}`; of each stack `stack`, `origin`, `verdict`, `changes`,
`interrupts`, `weakens` and `failed`, `sections` by name (`interruptions`, `alerts`, ...) with
their items, `checks`, `faults` and `notes`. `version` rises when a reader of it would break.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from ops.review.diff.report import Item, Report, plain

VERSION = 1


def render(reports: Iterable[Report]) -> str:
    found = {"version": VERSION, "stacks": [document(report) for report in reports]}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def document(report: Report) -> dict[str, Any]:
    return {
        "stack": report.stack,
        "origin": report.origin,
        "verdict": plain(report.verdict),
        "changes": report.changes,
        "interrupts": report.interrupts,
        "weakens": report.weakens,
        "failed": report.failed,
        "sections": {
            section.name.lower(): [_item(item) for item in items]
            for section, items in report.sections.items()
        },
        "checks": [asdict(check) for check in report.checks],
        "faults": [{"which": fault.which, "words": fault.words} for fault in report.faults],
        "notes": [plain(note) for note in report.notes],
    }


def _item(item: Item) -> dict[str, Any]:
    return {**asdict(item), "line": plain(item.line), "why": [plain(why) for why in item.why]}
