"""What the models of the settings share."""

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
    """`replicas` are known as well, and not listed to who has named none of them."""

    def check(name: str) -> str:
        if name not in known | replicas:
            raise ValueError(f"is no service with {what}; there are: {', '.join(sorted(known))}")
        return name

    return AfterValidator(check)
