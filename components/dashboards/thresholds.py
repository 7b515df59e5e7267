"""The thresholds of the alerts, with their colours, so that no dashboard repeats a number."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as models

from components.rules.rule_set import Alert

GREEN: Final = "green"
GREY: Final = "#808080"
"""The colour of an alert that is disabled: there is a threshold, and nobody is notified."""
_COLOUR_OF_SEVERITY: Final = {"critical": "red", "warning": "orange"}


@dataclass(frozen=True)
class Threshold:
    """Where an alert starts to fire, in the unit of its expression."""

    value: float
    fires_below: bool
    colour: str

    @classmethod
    def of(cls, alert: Alert) -> "Threshold":
        """Return the threshold in its alert's colour. Raises ValueError where it has none."""
        if alert.threshold is None:
            raise ValueError(f"{alert.name} does not end with a comparison to a number")
        colour = GREY if alert.disabled else _COLOUR_OF_SEVERITY.get(alert.severity, "orange")
        return cls(alert.threshold, alert.fires_below, colour)


@dataclass(frozen=True)
class AlertThresholds:
    """The thresholds of a stack's alerts by name."""

    alerts: Mapping[str, Alert]

    def __getitem__(self, alert: str) -> Threshold:
        try:
            return Threshold.of(self.alerts[alert])
        except (KeyError, ValueError):
            raise KeyError(
                f"a dashboard shows the threshold of {alert}, but no alert of that name ends with "
                f"a comparison to a number in rules/*.yml"
            ) from None


def steps(*bounds: Threshold) -> builders.ThresholdsConfig:
    """Grafana's colour steps for the bounds: green where none of the alerts fires."""
    below = [bound for bound in bounds if bound.fires_below]
    above = [bound for bound in bounds if not bound.fires_below]
    rising = sorted(below, key=lambda bound: bound.value)
    found = [models.Threshold(value=None, color=rising[0].colour if rising else GREEN)]
    for position, bound in enumerate(rising):
        following = rising[position + 1].colour if position + 1 < len(rising) else GREEN
        found.append(models.Threshold(value=bound.value, color=following))
    found += [
        models.Threshold(value=bound.value, color=bound.colour)
        for bound in sorted(above, key=lambda bound: bound.value)
    ]
    return colour_steps(found)


def line_at(*bounds: Threshold) -> builders.ThresholdsConfig:
    """Steps that only serve to draw lines where the alerts fire, each in its alert's colour."""
    lines = [
        models.Threshold(value=bound.value, color=bound.colour)
        for bound in sorted(bounds, key=lambda bound: bound.value)
    ]
    return colour_steps([models.Threshold(value=None, color=GREEN), *lines])


def colour_steps(found: list[models.Threshold]) -> builders.ThresholdsConfig:
    """Absolute steps; the first one's value has to be None, which is Grafana's -Infinity."""
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(found)


def plain(colour: str) -> builders.ThresholdsConfig:
    """One colour at every value, for what no alert watches."""
    return colour_steps([models.Threshold(value=None, color=colour)])


def first_red(thresholds: builders.ThresholdsConfig) -> builders.ThresholdsConfig:
    """The steps for figures that are never below 0: below it, which is also no answer, red."""
    first, *others = thresholds.build().steps
    if first.color == "red":
        return thresholds
    below = models.Threshold(value=None, color="red")
    return colour_steps([below, models.Threshold(value=0, color=first.color), *others])


def up_or_down() -> builders.ThresholdsConfig:
    """Red at 0, green from 1 on."""
    return colour_steps(
        [models.Threshold(value=None, color="red"), models.Threshold(value=1, color=GREEN)]
    )
