"""The days on which a stack's certificates end, as the series that `rules/` alert on.

Nothing here measures them: no exporter looks at certificates, and the program knows theirs. A new
one comes with an `up`, and that brings its day along.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from components.common import certificates

RULE_FILE = "monitoring.yml"
_RULE = re.compile(
    r"(?P<before>record: certificate:not_after_timestamp_seconds:min\n +expr: )vector\(0\) < 0"
)


def applied(text: str, served: Mapping[str, str]) -> str:
    """Return the text of `monitoring.yml` with the days, in seconds of Unix time.

    `served` are the certificates in PEM by their settings; without any the text stays as it is.
    Raises ValueError where the text has not exactly one place for them.
    """
    if not served:
        return text
    days = " or ".join(
        f'label_replace(vector({int(certificates.expiry(pem).timestamp())}), "certificate", '
        f'"{key}", "", "")'
        for key, pem in served.items()
    )
    changed, places = _RULE.subn(rf"\g<before>{days}", text)
    if places != 1:
        raise ValueError(f"rules/{RULE_FILE} has {places} places for the certificates' days")
    return changed
