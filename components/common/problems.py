"""Problems of one setting, found by one check and reported together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Problem at `path` below the setting.

    `fix` is set where a command on that path does not help, `remove` where the path has to go.
    `setting` is the field that it is about, if that is another than the one being checked.
    `hidden` is one whose value has a secret in it where none belongs: the value is not shown.
    """

    path: tuple[str, ...]
    text: str
    fix: str | None = None
    hidden: bool = False
    remove: bool = False
    setting: str = ""


class Problems(ValueError):
    """Raised by a field's validator; the settings loader reports each problem by its path."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(problem.text for problem in problems))
        self.problems = tuple(problems)


def raise_if_any(problems: list[Problem]) -> None:
    """Raise Problems where there are any."""
    if problems:
        raise Problems(problems)
