"""Grafana's own configuration of a stack: grafana.ini, the files it names, plugins, the viewer."""

from __future__ import annotations

from collections.abc import Iterable

from components.settings.grafana_sections import FILES_DIR, LOGINS, as_text, env_name
from components.settings.settings import Settings

INI = "grafana.ini"
# What Grafana 12 would download beside the plugins that are asked for.
_UNASKED = (
    "grafana-exploretraces-app", "grafana-lokiexplore-app", "grafana-metricsdrilldown-app",
    "grafana-pyroscope-app",
)  # fmt: skip


def envs(settings: Settings, ours: Iterable[str], folder: str) -> list[str]:
    """Return this program's variables with the stack's own choices in their place."""
    found = dict(entry.split("=", 1) for entry in ours)
    grafana = settings.grafana
    if grafana.plugins:
        # In the background: with `preinstall_sync` it would not start where it cannot download.
        wanted = ",".join(f"{name}@{version}" for name, version in grafana.plugins.items())
        unasked = ",".join(name for name in _UNASKED if name not in grafana.plugins)
        del found["GF_PLUGINS_PREINSTALL_DISABLED"]
        found |= {
            "GF_PLUGINS_DISABLE_PLUGINS": unasked,
            "GF_PLUGINS_PREINSTALL": wanted,
            "GF_PLUGINS_PREINSTALL_AUTO_UPDATE": "false",
            # A plugin is larger than /tmp.
            "TMPDIR": "/var/lib/grafana",
        }
    if grafana.anonymous_viewer:
        found |= {"GF_AUTH_ANONYMOUS_ENABLED": "true", "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer"}
    if settings.grafana_path:
        found["GF_SERVER_SERVE_FROM_SUB_PATH"] = "true"
    if any(name in grafana.settings for name in LOGINS) and "GF_SECURITY_COOKIE_SAMESITE" in found:
        # The site of the login sends people back: a strict cookie would not come with them.
        found["GF_SECURITY_COOKIE_SAMESITE"] = "lax"
    if grafana.settings:
        found["GF_PATHS_CONFIG"] = f"{folder}/{INI}"
    for section, keys in grafana.settings.items():
        for key in keys:
            # A variable would win over the file.
            found.pop(env_name(section, key), None)
    return [f"{name}={value}" for name, value in found.items()]


def secret_files(settings: Settings) -> dict[str, str]:
    """Return the files: any value may be a secret, so grafana.ini is one as a whole."""
    grafana = settings.grafana
    folder = FILES_DIR.rpartition("/")[2]
    files = {f"{folder}/{name}": text.get_secret_value() for name, text in grafana.files.items()}
    return {**files, INI: _ini(settings)} if grafana.settings else files


def _ini(settings: Settings) -> str:
    """Return grafana.ini. In backquotes a value is taken as it is, with `#`, `;` and quotes."""
    return "\n".join(
        line
        for section, keys in settings.grafana.settings.items()
        for line in (f"[{section}]", *(f"{k} = `{as_text(v)}`" for k, v in keys.items()), "")
    )
