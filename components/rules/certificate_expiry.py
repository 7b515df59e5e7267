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
    r"(?P<before>record: certificate:not_after_timestamp_seconds:min\n +expr: )vector\(0\) < 0"
)


def apply(rules: RuleSet, served: Mapping[str, str]) -> RuleSet:
    """Return the rules with the days, in seconds of Unix time, in `monitoring.yml`.

    `served` are the certificates in PEM by their settings; without any the file stays as it is.
    Raises ValueError where the file has not exactly one place for them.
    """

    def with_days(text: str) -> str:
        changed, places = _RULE.subn(rf"\g<before>{days}", text)
        if places != 1:
            raise ValueError(f"rules/{RULE_FILE} has {places} places for the certificates' days")
        return changed

    if not served:
        return rules
    days = " or ".join(
        f'label_replace(vector({int(certificates.expiry(pem).timestamp())}), "certificate", '
        f'"{key}", "", "")'
        for key, pem in served.items()
    )
    return rules.rewritten(RULE_FILE, with_days)
