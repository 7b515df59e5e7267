"""How a command here reaches the services of a stack that runs: where, and over what session."""

from __future__ import annotations

import requests

from components.settings import Settings
from components.settings_loader import SettingsError, parse
from ops import program


def settings_of(stack: str) -> Settings:
    """A stack's committed settings, with placeholders for its secrets. Raises ProgramError."""
    config = program.StackConfig.of_stack(stack)
    prefix = f"{program.PROJECT}:"
    values = {key.removeprefix(prefix): value for key, value in config.values.items()}
    try:
        return parse(stack, values, [key.removeprefix(prefix) for key in config.secret_keys])
    except SettingsError as error:
        raise program.ProgramError(str(error)) from None


def local_url(settings: Settings, service: str) -> str:
    """Where this machine reaches a published service, if the stack runs on it."""
    return f"http://{settings.local_host}:{settings.ports[service]}"


def session(_settings: Settings) -> requests.Session:
    """What a service of the stack is asked over."""
    made = requests.Session()
    # A proxy of this user's does not lead to the stack.
    made.trust_env = False
    return made
