"""Old import path of the provider: stacks made before 2026-11 name it in their state."""

from components.docker.config_files_provider import ConfigFilesProvider

__all__ = ["ConfigFilesProvider"]
