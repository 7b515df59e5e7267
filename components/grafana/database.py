"""PostgreSQL that several Grafanas share instead of one SQLite file each.

Source: Grafana, "Configure Grafana", section database; any key can be read from a file.
"""

from __future__ import annotations

from components.settings.settings import Settings

PASSWORD = "database_password"
AUTHORITY = "database_ca.pem"


def envs(settings: Settings, folder: str) -> list[str]:
    """Return the variables, with the files of `secret_files` in `folder`; none for SQLite."""
    database = settings.grafana.database
    if database is None:
        return []
    return [
        *([f"GF_DATABASE_CA_CERT_PATH={folder}/{AUTHORITY}"] if database.ca else []),
        f"GF_DATABASE_HOST={database.address}",
        f"GF_DATABASE_NAME={database.name}",
        f"GF_DATABASE_PASSWORD__FILE={folder}/{PASSWORD}",
        f"GF_DATABASE_SSL_MODE={database.sslmode}",
        "GF_DATABASE_TYPE=postgres",
        f"GF_DATABASE_USER={database.user}",
    ]


def secret_files(settings: Settings) -> dict[str, str]:
    database = settings.grafana.database
    if database is None:
        return {}
    files = {PASSWORD: settings.grafana_database_password.get_secret_value()}
    return {**files, AUTHORITY: database.ca} if database.ca else files
