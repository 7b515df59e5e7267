"""Receivers and routes of the user's own, mute times and escalation: a part of `Settings`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from components.common.problems import Problem, raise_if_any
from components.settings import mute_times, receivers
from components.settings.mute_times import MuteTime, Timezone
from components.settings.notifications import NotificationSettings
from components.settings.receivers import Channel, Destination, Receiver, ReceiverName, Route
from components.settings.types import HostPort, InstanceName, OptionalDuration, RunbookBase


class RoutingSettings(NotificationSettings):
    timezone: Timezone = "UTC"
    language: Literal["en", "tr"] = "en"
    instance_names: dict[HostPort, InstanceName] = {}
    runbook_base_url: RunbookBase = ""
    # Not in a printed object: it has secrets, by Alertmanager's names for them.
    receivers: dict[ReceiverName, Receiver] = Field(default={}, repr=False)
    mute_times: dict[str, MuteTime] = {}
    routes: tuple[Route, ...] = ()
    escalate_after: OptionalDuration = ""
    escalate_to: str = ""
    # The last of them: it is checked beside the others.
    destinations: dict[Channel, Destination] = Field(default={}, validate_default=True)

    @field_validator("receivers")
    @classmethod
    def _validate_receivers(cls, found: dict[str, Any]) -> dict[str, Any]:
        raise_if_any(list(receivers.receiver_problems(found)))
        return found

    @field_validator("mute_times")
    @classmethod
    def _validate_mute_times(cls, found: dict[str, MuteTime]) -> dict[str, MuteTime]:
        raise_if_any(list(mute_times.problems(found)))
        return found

    @field_validator("escalate_to")
    @classmethod
    def _validate_escalate_to(cls, name: str, info: ValidationInfo) -> str:
        known = info.data.get("receivers")
        if name and known is not None and name not in known:
            there = ", ".join(known) or "none"
            raise ValueError(f"is an unknown receiver; vitalstream:receivers has: {there}")
        return name

    @field_validator("destinations")
    @classmethod
    def _validate_destinations(
        cls, destinations: dict[Channel, Destination], info: ValidationInfo
    ) -> dict[Channel, Destination]:
        known = info.data
        if not {"receivers", "mute_times", "routes", "escalate_to", "escalate_after"} <= set(known):
            return destinations
        by_name = dict[str, Destination](destinations.items())
        found = [
            *receivers.route_problems(
                known["routes"], by_name, known["receivers"], known["mute_times"]
            ),
            *receivers.unused_receivers(
                known["receivers"], known["routes"], by_name, known["escalate_to"]
            ),
            *receivers.critical_problems(known["stack"], known["routes"], by_name),
        ]
        if bool(known["escalate_after"]) != bool(known["escalate_to"]):
            missing = "escalate_to" if known["escalate_after"] else "escalate_after"
            problem = "is missing: escalateAfter and escalateTo go together"
            found.append(Problem((), problem, setting=missing))
        raise_if_any(found)
        return destinations

    @property
    def built_in_destinations(self) -> tuple[str, ...]:
        """Those that are on and have no receiver of the user's own."""
        changes = dict[str, Destination](self.destinations.items())
        usual = Destination()
        return tuple(
            name
            for name in receivers.CHANNELS
            if (found := changes.get(name, usual)).enabled and not found.receiver
        )
