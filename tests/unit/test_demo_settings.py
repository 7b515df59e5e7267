"""The demo's settings, from its environment."""

from pathlib import Path

from demo.settings import Settings


def test_password_file_changed_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "password"
    settings = Settings.from_env({"DEMO_POSTGRES_PASSWORD_FILE": str(file)})
    file.write_text("first\n")
    first = settings.postgres.password()
    file.write_text("second\n")
    assert (first, settings.postgres.password()) == ("first", "second")


def test_from_env_reads_hosts_and_ports() -> None:
    env = {"DEMO_POSTGRES_HOST": "db", "DEMO_REDIS_HOST": "cache", "DEMO_REDIS_PORT": "6380"}
    settings = Settings.from_env(env)
    assert (settings.postgres.host, settings.postgres.port) == ("db", 5432)
    assert (settings.redis.host, settings.redis.port) == ("cache", 6380)
