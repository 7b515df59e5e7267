"""The bounds of the alerts, read from the rule files, so that no dashboard repeats a number."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import yaml
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as models

from components.rules.overrides import DISABLED
from components.rules.rule_files import RULES_DIR, TRAILING_BOUND

# libyaml's parser where PyYAML has it: every `pulumi up` reads the rules.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

GREEN: Final = "green"
# Of an alert that is disabled: there is a bound, and nobody is told.
GREY: Final = "#808080"
_COLOUR_OF_SEVERITY: Final = {"critical": "red", "warning": "orange", DISABLED: GREY}


@dataclass(frozen=True)
class Bound:
    """Where an alert starts to fire, in the unit of its expression.

    `severity` is DISABLED where it never does.
    """

    value: float
    bad_below: bool
    severity: str

    @property
    def colour(self) -> str:
        """The colour of values that make the alert fire."""
        return _COLOUR_OF_SEVERITY.get(self.severity, "orange")


@dataclass(frozen=True)
class AlertBounds:
    """Every alert whose expression ends with a comparison to a number, by name."""

    bounds: Mapping[str, Bound]

    @classmethod
    def from_rules(
        cls,
        overrides: Mapping[str, float],
        directory: Path = RULES_DIR,
        severities: Mapping[str, str] = MappingProxyType({}),
    ) -> "AlertBounds":
        """Read `directory/*.yml`; an override replaces the number of the alert it names, and
        `severities` its severity.

        Raises ValueError where an override names no such alert.
        """
        bounds: dict[str, Bound] = {}
        for path in sorted(directory.glob("*.yml")):
            content = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER) or {}
            for group in content.get("groups") or []:
                for rule in group["rules"]:
                    found = TRAILING_BOUND.search(str(rule["expr"]))
                    if "alert" not in rule or found is None:
                        continue
                    name = str(rule["alert"])
                    bounds[name] = Bound(
                        value=overrides.get(name, float(found["value"])),
                        bad_below=found["sign"] == "<",
                        severity=severities.get(
                            name, str(rule.get("labels", {}).get("severity", ""))
                        ),
                    )
        unknown = sorted(set(overrides) - set(bounds))
        if unknown:
            raise ValueError(
                f"threshold set for {', '.join(unknown)}: no alert of that name ends with a "
                f"comparison to a number in {directory.name}/*.yml"
            )
        return cls(bounds)

    def __getitem__(self, alert: str) -> Bound:
        try:
            return self.bounds[alert]
        except KeyError:
            raise KeyError(
                f"a dashboard shows the threshold of {alert}, but no alert of that name ends with "
                f"a comparison to a number in rules/*.yml"
            ) from None


def steps(*bounds: Bound) -> builders.ThresholdsConfig:
    """Grafana's colour steps for the bounds: green where none of the alerts fires."""
    below = [bound for bound in bounds if bound.bad_below]
    above = [bound for bound in bounds if not bound.bad_below]
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


def line_at(*bounds: Bound) -> builders.ThresholdsConfig:
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
