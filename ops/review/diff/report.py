"""Report on one stack, independent of the output format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from components.common.redaction import redact


@dataclass(frozen=True)
class Quote:
    """Untrusted text of the repository or state, which output formats must escape."""

    text: str

    def __post_init__(self) -> None:
        _redact(self, "text")


def _redact(part: object, *names: str) -> None:
    """Masks credentials, in every format: somebody may have pasted a URL with a password."""
    for name in names:
        text = getattr(part, name)
        # The parts of a report are frozen.
        object.__setattr__(part, name, text and redact(text))


# Our own words are `str`.
Line = tuple[str | Quote, ...]


class Mark(StrEnum):
    """Severity of an item. DANGER and INTERRUPTS are interruptions, WEAKER is weakened."""

    NONE = ""
    DANGER = "danger"
    INTERRUPTS = "interrupts"
    WEAKER = "weaker"
    CAUTION = "caution"


class Kind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"

    @classmethod
    def of(cls, old: object, new: object) -> Kind:
        """Return the kind of a change; None is what was or is not there."""
        return cls.ADDED if old is None else cls.REMOVED if new is None else cls.CHANGED


@dataclass(frozen=True)
class Field:
    """Changed part; `old` or `new` is None if added or removed."""

    name: str
    old: str | None
    new: str | None

    def __post_init__(self) -> None:
        _redact(self, "name", "old", "new")

    @classmethod
    def of(cls, kind: Kind, name: str, text: str) -> Field:
        """Return a part that was added or removed."""
        return cls(name, *((None, text) if kind is Kind.ADDED else (text, None)))


@dataclass(frozen=True)
class Item:
    """Reported change: `subject` names it, `line` describes it, `why` explains the mark.

    `diff` is a unified diff, for the details.
    """

    kind: Kind
    subject: str
    line: Line
    mark: Mark = Mark.NONE
    why: tuple[Line, ...] = ()
    fields: tuple[Field, ...] = ()
    diff: str = ""
    # Nothing but layout: comments, order, white space.
    layout: bool = False

    def __post_init__(self) -> None:
        _redact(self, "subject", "diff")

    @classmethod
    def judged(
        cls,
        kind: Kind,
        subject: str,
        line: Line,
        why: Iterable[Line],
        fields: Iterable[Field] = (),
        mark: Mark = Mark.WEAKER,
    ) -> Item:
        """Return a change that has the mark if there is a reason for it."""
        why = tuple(why)
        return cls(kind, subject, line, mark if why else Mark.NONE, why, tuple(fields))


class Section(StrEnum):
    """Sections in the order of the report; the value is the heading."""

    INTERRUPTIONS = "Interruptions"
    DRIFT = "Manual changes that are reverted"
    ALERTS = "Alerts"
    ROUTES = "Notification routing"
    DASHBOARDS = "Dashboards"
    COLLECTION = "Retention, scraping, data sources"
    IMAGES = "Images"
    SETTINGS = "Settings"
    OTHER = "Other changes"
    DETAILS = "All changes by resource"


class Status(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    ADVICE = "advice"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Check:
    """Result of a tool's check of the new version."""

    name: str
    status: Status
    words: str = ""

    def __post_init__(self) -> None:
        _redact(self, "words")


@dataclass(frozen=True)
class Fault:
    """Version that failed: its name, its error message, and what failed."""

    which: str
    words: str
    how: str = "does not render"

    def __post_init__(self) -> None:
        _redact(self, "words")


@dataclass(frozen=True)
class Report:
    """Report; `verdict` is the summary. With `faults`, `inventory` lists the other version."""

    stack: str
    origin: str
    verdict: Line
    sections: dict[Section, tuple[Item, ...]] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    faults: tuple[Fault, ...] = ()
    inventory: tuple[Line, ...] = ()
    notes: tuple[Line, ...] = ()

    @property
    def changes(self) -> bool:
        """Return whether anything but formatting changes."""
        return any(not item.layout for items in self.sections.values() for item in items)

    @property
    def interrupts(self) -> bool:
        return any(item.mark in (Mark.DANGER, Mark.INTERRUPTS) for item in self.items())

    @property
    def weakens(self) -> bool:
        return any(item.mark is Mark.WEAKER for item in self.items())

    @property
    def failed(self) -> bool:
        return bool(self.faults) or any(check.status is Status.FAILED for check in self.checks)

    def items(self) -> Iterable[Item]:
        return (item for items in self.sections.values() for item in items)


def plain(line: Line) -> str:
    """Return a line as plain text."""
    return "".join(part.text if isinstance(part, Quote) else part for part in line)


def quoted(names: Iterable[str], most: int = 12) -> Line:
    """`a, b, c and 4 more`."""
    found = list(names)
    line: list[str | Quote] = []
    for index, name in enumerate(found[:most]):
        line += [", "] if index else []
        line.append(Quote(name))
    if len(found) > most:
        line.append(f" and {len(found) - most} more")
    return tuple(line)


def count(number: int, what: str, many: str = "") -> str:
    """`1 alert`, `2 alerts`."""
    return f"{number} {what if number == 1 else many or what + 's'}"
