"""Texts of messages: the templates of `templates/`, with the values of a stack."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from components.settings.instance_names import instance_names
from components.settings.settings import Settings
from components.user_files.rules import RUNBOOKS_URL

FOLDER: Final = Path(__file__).resolve().parents[2] / "templates"
# Valid as it is, so that an editor or amtool can read the file.
_NAMED: Final = ' | reReplaceAll "INSTANCE" "NAME"'


def render_templates(settings: Settings) -> str:
    """Return the templates, with this stack's language, Grafana, time zone, runbooks and names."""
    text = (FOLDER / f"words.{settings.language}.tmpl").read_text("utf-8")
    text += (FOLDER / "notifications.tmpl").read_text("utf-8")
    filled_in = {
        "GRAFANA_URL": settings.url("grafana"),
        "TIMEZONE": settings.timezone,
        "RUNBOOK_SHIPPED": RUNBOOKS_URL,
        "RUNBOOK_BASE": settings.runbook_base_url or RUNBOOKS_URL,
        # The last: a name may be any text.
        _NAMED: "".join(_named(*pair) for pair in instance_names(settings).items()),
    }
    for name, value in filled_in.items():
        text = text.replace(name, value)
    return text


def _named(instance: str, name: str) -> str:
    """Return the step of a pipeline that replaces an instance, and not the end of a longer one."""
    pattern = rf"(^|[^\w.:-]){re.escape(instance)}\b"
    # `$` begins the name of a group. Go reads JSON's strings as its own.
    replacement = "${1}" + name.replace("$", "$$")
    return f" | reReplaceAll {_quoted(pattern)} {_quoted(replacement)}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
