"""The days on which a stack's certificates end, as the series that `rules/` alert on.

Nothing here measures them: no exporter looks at certificates, and the program knows theirs. A new
one comes with an `up`, and that brings its day along.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from components.common import certificates
from components.rules.rule_set import RuleSet

RULE_FILE = "monitoring.yml"
_RULE = re.compile(
    r" *# pint disable promql/impossible\n"
    r"(?P<indent> *)- (?P<record>record: certificate:not_after_timestamp_seconds:min)\n"
    r" *expr: vector\(0\) < 0\n"
)


def apply(rules: RuleSet, served: Mapping[str, str]) -> RuleSet:
    """Return the rules with the days, in seconds of Unix time, in `monitoring.yml`.

    `served` are the certificates in PEM by their settings; without any the file stays as it is.
    Raises ValueError where the file has not exactly one place for them.
    """

    def with_days(text: str) -> str:
        changed, places = _RULE.subn(rules_of, text)
        if places != 1:
            raise ValueError(f"rules/{RULE_FILE} has {places} places for the certificates' days")
        return changed

    # One rule each: with `or`, all but the first would be dead code to a linter.
    def rules_of(found: re.Match[str]) -> str:
        indent = found["indent"]
        return "".join(
            f"{indent}- {found['record']}\n"
            f"{indent}  expr: vector({int(certificates.expiry(pem).timestamp())})\n"
            f"{indent}  labels:\n"
            f"{indent}    certificate: {key}\n"
            for key, pem in served.items()
        )

    if not served:
        return rules
    return rules.rewritten(RULE_FILE, with_days)
