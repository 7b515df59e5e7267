"""Masking of credentials in messages: user info of URLs, passwords in parameters.

A message may quote text pasted into the wrong setting. It masks too much rather than too little:
`host:80,user@example.com` looks like user info.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"

_WORD = re.compile(r"\S+")
_AT = r"(?:@(?!sha256:)|%40)"
# Up to the last @ of what is not broken by white space: a password may have @, / and quotes in it.
_URL = re.compile(
    # No scheme is longer than 32 letters; without that limit, long words take quadratic time.
    rf"(?P<scheme>[A-Za-z0-9+.-]{{0,32}}(?:://|%3A%2F%2F))"
    rf"(?P<user>[^\s/:@\"'`<>]*(?::|%3A)\S*|[^\s\"'`<>]*){_AT}",
    re.IGNORECASE,
)
_NO_SCHEME = re.compile(
    r"(?<![^\s\"'`<>(\[{,=])(?P<kept>vitalstream:)?(?!mailto:[^\s:@]*@)"
    rf"[^\s\"'`<>(\[{{,=:@/]*(?::(?!//)|%3A(?!%2F%2F))(?:(?!://|%3A%2F%2F)\S)*{_AT}"
    # PromQL's modifier `@ end()` is none.
    r"(?=[\w\[])(?!\d+(?:[\s)\]]|$)|start\(|end\()",
    re.IGNORECASE,
)
_NAMES = (
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|signature|sig"
    r"|(?:api|access|private|routing|integration|service)[_-]?key|webhook[_-]?urls?)"
)
_PARAMETER = re.compile(
    # From the start of a name only: from each dot in a long one it took minutes.
    rf"(?P<name>(?<![\w.-])[\w.-]*{_NAMES}(?:\s*=\s*|%3D))(?:'(?:\\.|[^'\\])*'|[^\s&;\"'`,)\]}}]+)",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(rf"{_NAMES}$", re.IGNORECASE)
# Addresses whose path is the secret, and tokens that say what they are.
_KNOWN = re.compile(
    r"(?P<kept>hooks\.slack\.com/|discord(?:app)?\.com/api/webhooks/|api\.telegram\.org/bot"
    r"|hc-ping\.com/|xox[a-z]-|gh[pousr]_|glpat-)[^\s\"'`<>,)\]}]+"
)
_USER_OF_SSH = re.compile(r"[A-Za-z0-9._-]+")


def redact(text: str) -> str:
    """Mask the credentials in any text, such as a message or a file.

    The user of `ssh://user@host` is kept: SSH URLs contain no passwords, and the user is needed to
    understand them.
    """
    text = _WORD.sub(_masked_word, text)
    text = _PARAMETER.sub(lambda found: f"{found['name']}{MASK}", text)
    return _KNOWN.sub(lambda found: f"{found['kept']}{MASK}", text)


def redact_value(value: Any, name: str = "") -> Any:
    """Mask the credentials in a setting's value of any shape, including the keys of maps.

    `name` is the setting's name, which may say that it is a secret. The end of a single text is
    known, so that a password with a space in it is masked as a whole.
    """
    if isinstance(value, Mapping):
        return {redact(str(key)): redact_value(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_value(item, name) for item in value]
    if not isinstance(value, str):
        return value
    if value and _SECRET_NAME.search(name):
        return MASK
    scheme, separator, rest = value.partition("://")
    if separator and re.match(r"[^\s/@]*:", rest) and "@" in rest:
        user, _, host = rest.rpartition("@")
        if any(char.isspace() for char in user):
            return f"{redact(scheme)}://{MASK}@{redact(host)}"
    return redact(value)


def _masked_word(match: re.Match[str]) -> str:
    word = match[0]
    # User info ends with one of them; a search for it in 50,000 letters without took 15 s.
    if "@" not in word and "%40" not in word:
        return word
    word = _URL.sub(_masked_url, word)
    return _NO_SCHEME.sub(lambda found: f"{found['kept'] or ''}{MASK}@", word)


def _masked_url(found: re.Match[str]) -> str:
    scheme, user = found["scheme"], found["user"]
    if scheme.lower() == "ssh://" and _USER_OF_SSH.fullmatch(user):
        return found[0]
    return f"{scheme}{MASK}@"
