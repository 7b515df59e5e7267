"""Base class of the settings' models, and the service names that they accept."""

from __future__ import annotations

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Frozen(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )


def known_service(
    known: frozenset[str], what: str, replicas: frozenset[str] = frozenset()
) -> AfterValidator:
    """Check a service's name. `replicas` are accepted too, but not listed in the error."""

    def check(name: str) -> str:
        if name not in known | replicas:
            there = ", ".join(sorted(known))
            raise ValueError(f"is an unknown service; those with {what}: {there}")
        return name

    return AfterValidator(check)
