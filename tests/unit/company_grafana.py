"""Grafana's settings in a company: logins, mail, plugins, teams and a further data source."""

from __future__ import annotations

from typing import Any

OAUTH, LDAP, LOKI, HEADER = (
    f"canary-{name}-9f#;3b" for name in ("oauth", "ldap", "loki", "tenant")
)
CLIENT = "canary-client-id-5d"
SECRETS = (OAUTH, LDAP, LOKI, HEADER)
LDAP_FILE = "/etc/grafana/secrets/files/ldap.toml"
COMPANY: dict[str, Any] = {
    "settings": {
        "auth.generic_oauth": {
            "enabled": True,
            "client_id": CLIENT,
            "client_secret": OAUTH,
            "role_attribute_path": "contains(groups[*], 'ops') && 'Editor' || 'Viewer'",
        },
        "auth.ldap": {"enabled": True, "config_file": LDAP_FILE},
        "smtp": {"enabled": True, "host": "mail.example.com:587", "startTLS_policy": "NoStartTLS"},
        "users": {"allow_sign_up": True},
    },
    "files": {"ldap.toml": f'bind_password = "{LDAP}"'},
    "networks": ["logs"],
    "plugins": {"grafana-clock-panel": "2.1.8"},
    "anonymousViewer": True,
    "teams": {"icu": ["a@example.com"]},
    "folderPermissions": [
        {"role": "Viewer", "permission": "View"},
        {"team": "icu", "permission": "Edit"},
    ],
    "dataSources": {
        "loki": {
            "type": "loki",
            "url": "http://host.docker.internal:3100",
            "jsonData": {"maxLines": 500},
            "secureJsonData": {"basicAuthPassword": LOKI},
            "httpHeaders": {"X-Scope-OrgID": HEADER},
        }
    },
}
