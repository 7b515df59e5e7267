"""Figures of a run: medians, ratios to a baseline, targets, and the printed table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

OTHER = "the other commit"
COLUMNS = ("measured", "median", "range", "baseline", "its median", "ratio", "target", "verdict")


@dataclass(frozen=True)
class Figure:
    """Samples of one measurement, in `unit`, one per round.

    `baseline` has one sample per round too: the ratio is the median of the rounds' ratios, so
    that other load on the machine affects both sides. `target` is the upper limit of the ratio,
    or of the median without a baseline. `fault` fails the figure whatever the time was.
    """

    name: str
    samples: tuple[float, ...]
    unit: str
    target: float | None = None
    baseline: tuple[float, ...] = ()
    baseline_name: str = ""
    fault: str = ""

    @property
    def median(self) -> float:
        return median(self.samples)

    @property
    def ratio(self) -> float | None:
        """None without a baseline."""
        if not self.baseline:
            return None
        return median(
            mine / theirs for mine, theirs in zip(self.samples, self.baseline, strict=True)
        )

    @property
    def met(self) -> bool | None:
        """None without a target and a fault."""
        if self.fault:
            return False
        value = self.median if self.ratio is None else self.ratio
        return None if self.target is None else value <= self.target

    def cells(self) -> tuple[str, ...]:
        """Return one cell for each of `COLUMNS`."""
        ratio, samples = self.ratio, self.samples
        target = "" if self.target is None else f"≤ {self.target:g}"
        verdict = {None: "", True: "met", False: "not met"}[self.met]
        return (
            self.name,
            f"{_number(self.median)} {self.unit}",
            f"{_number(min(samples))} to {_number(max(samples))}" if len(samples) > 1 else "",
            self.baseline_name,
            f"{_number(median(self.baseline))} {self.unit}" if self.baseline else "",
            f"{ratio:.2f}x" if ratio else "",
            target and target + (f" {self.unit}" if ratio is None else "x"),
            f"{verdict}: {self.fault}" if self.fault else verdict,
        )


@dataclass
class Report:
    """Figures of a run. `notes` say what was skipped and why, and what else was observed."""

    environment: dict[str, str]
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_markdown(self) -> str:
        """Return environment, table and notes as docs/reference/performance.md has them."""
        lines = [f"- {name}: {value}" for name, value in self.environment.items()]
        if self.figures:
            lines += ["", _row(COLUMNS), _row(["---"] * len(COLUMNS))]
            lines += [_row(figure.cells()) for figure in self.figures]
        lines += ["", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines).strip() + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
