"""What a running exporter exposes, against its recording in tests/contract/."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime

from components.promql.metrics import read_by
from components.rules.rule_set import RuleSet
from ops.offline.local_deploy.local import NOT_MADE
from tests import panels
from tests.contract.recording import Recording, load, metrics_in
from tests.live.stack import Stack


def compare(
    stack: Stack, service: str, pages: Iterable[str], *, prefix: str, against: str, test: str
) -> None:
    """Compare what rules and panels read by a prefix; with RECORD=1, record all of it first.

    `pages` are expositions, `against` names the server that the exporter monitored, `test` the test
    that records them.
    """
    exposed = metrics_in(pages)
    image = stack.settings.image(service)
    if os.environ.get("RECORD") == "1":
        version = image.rpartition(":")[2]
        package = f"Debian's package, in the image {image}"
        about = {
            "origin": f"built from the source at tag v{version}"
            if service in NOT_MADE
            else package,
            "against": against,
            "recorded": datetime.now(UTC).date().isoformat(),
        }
        path = Recording(service, version, about, exposed).write()
        command = "`python -m tests.contract.record`"
        path.write_text(path.read_text().replace(command, f"RECORD=1 and {test}"))
    read = RuleSet.shipped().metrics_read.reads.names.union(
        *(read_by(found.expr).names for found in panels.targets(panels.boards("2s")))
    )
    names = {name for name in read if name.startswith(prefix) and ":" not in name}
    recorded = next(found for found in load() if found.service == service).metrics
    assert names
    assert {name: exposed[name] for name in names} == {name: recorded[name] for name in names}
