"""Refuse secrets that `docker inspect` would show to anybody who may run it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from policy.subject import Subject

FIX = (
    "put it into a file: `secret_files` of the service's ServiceFiles, and the path of that file "
    "here (NAME_FILE=..., --...-file=...)."
)
# A shorter value would match too many harmless words.
SHORTEST_SOUGHT = 8
# At the end of a name: `..._PASSWORD_FILE` and `--...-password-file` say where the secret is.
_SECRET_WORDS = (
    r"(?:PASSWORD|PASSWD|PASS|REQUIREPASS|SECRET|TOKEN|CREDENTIALS?|WEBHOOK(?:[-_]?URL)?"
    r"|(?:API|ACCESS|PRIVATE|SECRET)[-_]?KEY)"
)
_SECRET_NAME = re.compile(rf"(?:.*_)?{_SECRET_WORDS}", re.IGNORECASE)
_SECRET_FLAG = re.compile(rf"--?(?:[\w.-]*[-._])?{_SECRET_WORDS}", re.IGNORECASE)
_SECRET_TEXT = {
    "an address with a password in it": re.compile(r"://[^/\s:@]*:[^/\s@]+@"),
    "a password": re.compile(r"\bpassword=[^\s&/]", re.IGNORECASE),
    "a Slack webhook": re.compile(r"hooks\.slack\.com/services/"),
    "a private key": re.compile(r"BEGIN [A-Z ]*PRIVATE KEY"),
}


def no_secret(subject: Subject) -> Iterator[str]:
    """Find values that Pulumi marks secret, the stack's own secrets, and values named or shaped
    like one.

    The message never contains the value.
    """
    if not subject.type.startswith("docker:"):
        return
    reported = set()
    for key in sorted(set(subject.props) - subject.unknown):
        if key in subject.secret or _has_a_value(subject, subject.props[key]):
            reported.add(key)
            yield f"`{key}` has a secret in it, which `docker inspect` shows: {FIX}"
    if not subject.is_a("Container"):
        return
    if "envs" not in reported:
        for name, value in subject.environment:
            if what := _what(name, value):
                yield f"The environment's {name} is {what}, which `docker inspect` shows: {FIX}"
    if not reported & {"command", "entrypoints"}:
        for what in _in_arguments(subject.arguments):
            yield f"The command has {what}, which `docker inspect` shows: {FIX}"


def _has_a_value(subject: Subject, value: Any) -> bool:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return any(
        json.dumps(secret, ensure_ascii=False)[1:-1] in text
        for secret in subject.secret_values
        if len(secret) >= SHORTEST_SOUGHT
    )


def _what(name: str, value: str) -> str | None:
    """Return what kind of secret an environment entry is, or None."""
    if value and _SECRET_NAME.fullmatch(name):
        return "a secret by its name"
    return next((what for what, shape in _SECRET_TEXT.items() if shape.search(value)), None)


def _in_arguments(arguments: list[str]) -> Iterator[str]:
    for place, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        given = value if equals else "".join(arguments[place + 1 : place + 2])
        if _SECRET_FLAG.fullmatch(flag) and given and not given.startswith("-"):
            yield f"a secret after {flag}"
            continue
        for what, shape in _SECRET_TEXT.items():
            if shape.search(argument):
                yield what
