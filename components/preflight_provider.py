"""Old import path of the provider: stacks made before 2026-11 name it in their state."""

from components.preflight.provider import PreflightProvider

__all__ = ["PreflightProvider"]
