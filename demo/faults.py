"""Faults on demand, so that an alert can be seen to fire: only where `DEMO_FAULTS=1`."""

import asyncio
import time
from dataclasses import dataclass, field
from random import Random
from typing import Annotated

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field

_LOOK_SECONDS = 0.1


class Fault(BaseModel):
    """Fault to inject from now on; an empty one ends it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    errors: Annotated[float, Field(ge=0, le=1, description="share of requests that get a 500")] = 0
    latency_seconds: Annotated[float, Field(ge=0, le=10, description="before every answer")] = 0
    hangs: Annotated[bool, Field(description="no request is answered until the fault is over")] = (
        False
    )
    duration_seconds: Annotated[float, Field(gt=0, le=3600, description="how long it lasts")] = 900


@dataclass(eq=False)
class Faults:
    """A FastAPI dependency (hashable: it compares by identity) that applies the current fault."""

    random: Random = field(default_factory=Random)
    _fault: Fault = field(default_factory=Fault)
    _until: float = 0.0

    def inject(self, fault: Fault) -> None:
        """Replace the current fault."""
        self._fault = fault
        self._until = time.monotonic() + fault.duration_seconds

    async def __call__(self) -> None:
        if time.monotonic() >= self._until:
            return
        fault = self._fault
        while fault.hangs and fault is self._fault and time.monotonic() < self._until:
            await asyncio.sleep(_LOOK_SECONDS)
        if self._fault.latency_seconds:
            await asyncio.sleep(self._fault.latency_seconds)
        if self.random.random() < self._fault.errors:
            raise HTTPException(500, "a fault, as asked for")
