"""The stack's own bridge, and the application's networks that it joins."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_docker as docker

from components.container import Network
from components.settings import Settings


class StackNetworks(pulumi.ComponentResource):
    """`monitoring` is the stack's own; `with_application` is for who looks at the application."""

    def __init__(
        self,
        settings: Settings,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("vitalstream:network:StackNetworks", "networks", None, opts)
        monitoring = self._bridge(settings, "monitoring", internal=False)
        application = [Network(name) for name in settings.application_networks]
        self.demo: Sequence[Network] = []
        if settings.demo:
            # The demo's services publish no port and need no way out.
            demo = self._bridge(settings, "demo", internal=True)
            self.demo = [Network(demo.name)]
        self.monitoring: Sequence[Network] = [Network(monitoring.name)]
        self.with_application: Sequence[Network] = [*self.monitoring, *application, *self.demo]
        self.register_outputs({"monitoring": monitoring.name})

    def _bridge(self, settings: Settings, name: str, *, internal: bool) -> docker.Network:
        return docker.Network(
            name,
            name=f"vitalstream-{settings.stack}-{name}",
            driver="bridge",
            internal=internal,
            labels=[docker.NetworkLabelArgs(label="vitalstream.stack", value=settings.stack)],
            opts=pulumi.ResourceOptions(parent=self),
        )
