"""A run's figures: ratios to a yardstick, aims, and how they are printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from rich.table import Table

COLUMNS = ("measured", "median", "range", "yardstick", "its median", "ratio", "aim", "verdict")


@dataclass(frozen=True)
class Aim:
    """At most `limit`: of the ratio to the yardstick, or of the figure itself where it has none."""

    limit: float

    def words(self, unit: str) -> str:
        return f"≤ {self.limit:g}{unit}"


@dataclass(frozen=True)
class Figure:
    """What was measured round by round, in `unit`.

    `yardstick` has a sample of each round too: the ratio is the median of the rounds' ratios, so
    that what else ran on the machine weighs on both sides. `condition` is a fault that fails the
    aim whatever the time was.
    """

    name: str
    samples: tuple[float, ...]
    unit: str
    aim: Aim | None = None
    yardstick: tuple[float, ...] = ()
    yardstick_name: str = ""
    condition: str = ""

    @property
    def median(self) -> float:
        return median(self.samples)

    @property
    def ratio(self) -> float | None:
        if not self.yardstick:
            return None
        return median(
            mine / theirs for mine, theirs in zip(self.samples, self.yardstick, strict=True)
        )

    @property
    def met(self) -> bool | None:
        """None where there is no aim."""
        if self.aim is None:
            return None
        judged = self.median if self.ratio is None else self.ratio
        return judged <= self.aim.limit and not self.condition

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "aim": self.aim and self.aim.limit,
            "median": self.median,
            "ratio": self.ratio,
            "met": self.met,
        }

    def cells(self) -> tuple[str, ...]:
        """One for each of `COLUMNS`."""
        ratio = self.ratio
        unit = f" {self.unit}"
        judged_unit = unit if ratio is None else "x"
        verdict = {None: "", True: "met", False: "not met"}[self.met]
        return (
            self.name,
            f"{_number(self.median)}{unit}",
            self._range(),
            self.yardstick_name,
            f"{_number(median(self.yardstick))}{unit}" if self.yardstick else "",
            f"{ratio:.2f}x" if ratio else "",
            self.aim.words(judged_unit) if self.aim else "",
            f"{verdict}: {self.condition}" if self.condition else verdict,
        )

    def _range(self) -> str:
        if len(self.samples) == 1:
            return ""
        return f"{_number(min(self.samples))} to {_number(max(self.samples))}"


@dataclass(frozen=True)
class Grid:
    """Figures that are read side by side: `rows` have a cell for each of `columns`."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def as_table(self) -> Table:
        table = Table(title=self.title, title_justify="left", box=None, pad_edge=False)
        for place, column in enumerate(self.columns):
            table.add_column(column, justify="right" if place else "left")
        for row in self.rows:
            table.add_row(*row)
        return table

    def as_markdown(self) -> list[str]:
        aligned = ["---", *["---:"] * (len(self.columns) - 1)]
        return [self.title, "", *map(_row, (self.columns, aligned, *self.rows))]


@dataclass
class Report:
    """`notes` say what was skipped and why, and what was seen beside the figures."""

    circumstances: dict[str, str]
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "circumstances": self.circumstances,
            "figures": [figure.as_json() for figure in self.figures],
            "notes": self.notes,
            "grids": [asdict(grid) for grid in self.grids],
        }

    def as_table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for column in COLUMNS:
            table.add_column(column, justify="right" if column in COLUMNS[1:3] else "left")
        for figure in self.figures:
            table.add_row(*figure.cells())
        return table

    def as_markdown(self) -> str:
        """The circumstances, the table and the notes, as docs/reference/performance.md has them."""
        lines = [f"- {name}: {value}" for name, value in self.circumstances.items()]
        if self.figures:
            lines += ["", _row(COLUMNS), _row(["---"] * len(COLUMNS))]
            lines += [_row(figure.cells()) for figure in self.figures]
        for grid in self.grids:
            lines += ["", *grid.as_markdown()]
        lines += ["", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines).strip() + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
