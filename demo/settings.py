"""The demo's settings: environment variables, and passwords in files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PATIENTS = 48
"""Beds of the ward; their numbers begin at 1."""

DEMO_USERS = ("nurse", "doctor")
DEMO_LOGIN = "vitalstream-demo"
"""Password of the demo's invented accounts: public, because it protects no real data."""


@dataclass(frozen=True)
class Store:
    """Address of PostgreSQL or Redis, and the file with its password (None: no password)."""

    host: str
    port: int
    password_file: Path | None

    def password(self) -> str | None:
        """Read at every new connection, so that a changed password needs no restart."""
        return self.password_file.read_text().strip() if self.password_file else None


@dataclass(frozen=True)
class Settings:
    """The backend's settings."""

    postgres: Store
    postgres_user: str
    postgres_database: str
    redis: Store
    faults: bool

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """Read the `DEMO_*` variables. Raises `ValueError` if a port is not a number."""
        return cls(
            postgres=_store(env, "POSTGRES", "postgres", 5432),
            postgres_user=env.get("DEMO_POSTGRES_USER", "vitalstream"),
            postgres_database=env.get("DEMO_POSTGRES_DATABASE", "vitalstream"),
            redis=_store(env, "REDIS", "redis", 6379),
            faults=env.get("DEMO_FAULTS") == "1",
        )


def _store(env: Mapping[str, str], name: str, host: str, port: int) -> Store:
    file = env.get(f"DEMO_{name}_PASSWORD_FILE")
    return Store(
        host=env.get(f"DEMO_{name}_HOST", host),
        port=int(env.get(f"DEMO_{name}_PORT", str(port))),
        password_file=Path(file) if file else None,
    )
