"""Renders docs/reference/settings.md: every setting of a stack, from the model and Pulumi.yaml.

python -m ops.settings_page [--check]
"""

from __future__ import annotations

import json
import sys
from typing import Any

import yaml
from pydantic import SecretStr
from pydantic.alias_generators import to_camel

from components.settings.settings import Settings
from ops.root import ROOT

PAGE = ROOT / "docs" / "reference" / "settings.md"
COMMAND = "make settings"
_HEAD = f"""\
# Settings

Every setting of a stack, with the type and the default that the program checks: written by
`{COMMAND}`, and compared in `make check`.

```sh
pulumi config set --stack prod retentionTime 30d
pulumi config set --stack prod --secret grafanaAdminPassword
pulumi config set --stack prod --path 'limits.prometheus.memory' 2g
```

All invalid settings of a stack are reported together, each with the command that fixes it.

| setting | type | default | what it is |
| --- | --- | --- | --- |
"""


def render() -> str:
    """Return the page: one row for each setting, by name."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    secrets = {
        to_camel(name)
        for name, field in Settings.model_fields.items()
        if field.annotation is SecretStr
    }
    rows = (_row(key, declared[key], secret=key in secrets) for key in sorted(declared))
    return _HEAD + "".join(rows)


def _row(key: str, entry: dict[str, Any], *, secret: bool) -> str:
    kind = "secret" if secret else entry["type"]
    default = "" if secret else f"`{json.dumps(entry['default'], ensure_ascii=False)}`"
    # A bar would end the cell, and <...> is a tag.
    text = " ".join(entry["description"].split()).replace("|", "\\|").replace("<", "&lt;")
    return f"| `{key}` | {kind} | {default} | {text} |\n"


def main(*, check: bool) -> str | None:
    """Write the page; with `check` only compare it, and return what is wrong."""
    if not check:
        PAGE.write_text(render())
    elif not PAGE.exists() or PAGE.read_text() != render():
        return f"{PAGE.relative_to(ROOT)} differs from the settings. fix: {COMMAND}"
    return None


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv))
