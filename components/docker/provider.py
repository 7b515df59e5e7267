"""Docker providers: one for each engine that the stack runs on."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_docker as docker

from components.docker.engines import Engine


def docker_provider(engine: Engine, after: Sequence[pulumi.Resource]) -> docker.Provider:
    """Create an engine's provider once the checks in `after` have passed."""
    return docker.Provider(
        engine.provider_name,
        host=engine.url,
        cert_path=engine.certificates or None,
        opts=pulumi.ResourceOptions(depends_on=list(after)) if after else None,
    )
