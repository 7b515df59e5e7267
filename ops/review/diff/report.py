"""What a reader is told of one stack. It knows nothing of Markdown or terminals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from components.common.redaction import redact


@dataclass(frozen=True)
class Quote:
    """A text of the repository or of a stack's state: whoever writes a report must disarm it."""

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
    """How loud an item is. DANGER and INTERRUPTS count as interruptions, WEAKER as weakened."""

    NONE = ""
    DANGER = "danger"
    INTERRUPTS = "interrupts"
    WEAKER = "weaker"
    CAUTION = "caution"


class Kind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True)
class Field:
    """A part of something that changed; `old` or `new` is None where there is none."""

    name: str
    old: str | None
    new: str | None

    def __post_init__(self) -> None:
        _redact(self, "name", "old", "new")


@dataclass(frozen=True)
class Item:
    """One thing that changes: `subject` names it, `line` says what, `why` each mark in words.

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


class Section(StrEnum):
    """The sections in the order of a report; the value is the heading."""

    INTERRUPTIONS = "Interruptions"
    DRIFT = "Changed by hand, and put back"
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
    """What a tool says of the new version."""

    name: str
    status: Status
    words: str = ""

    def __post_init__(self) -> None:
        _redact(self, "words")


@dataclass(frozen=True)
class Fault:
    """A side that cannot be had: the version, its own words, and what became of it."""

    which: str
    words: str
    how: str = "does not render"

    def __post_init__(self) -> None:
        _redact(self, "words")


@dataclass(frozen=True)
class Report:
    """`verdict` is the whole in one line. With `faults`, `inventory` is what can be had."""

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
        """Whether anything changes by its meaning."""
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
    """A line as it stands, for a JSON document."""
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
