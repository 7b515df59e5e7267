"""Changes of images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ops.review.diff.comparison import Comparison
from ops.review.diff.report import Field, Item, Kind, Line, Mark, Quote
from ops.review.diff.snapshot import IMAGE, Resource

_REFERENCE = re.compile(
    r"(?P<repository>[^@]+?)(?::(?P<tag>[^/:@]+))?(?:@(?P<digest>[a-z0-9]+:[0-9a-f]+))?"
)
_VERSION = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?")


@dataclass(frozen=True)
class Reference:
    repository: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        found = _REFERENCE.fullmatch(text)
        if found is None:
            return cls(text, "", "")
        return cls(found["repository"], found["tag"] or "", found["digest"] or "")

    @property
    def version(self) -> tuple[int, ...]:
        """Return the numbers of the tag; empty if it does not begin with one."""
        found = _VERSION.match(self.tag)
        return tuple(int(part) for part in found.groups() if part) if found else ()


def items(comparison: Comparison) -> list[Item]:
    found = []
    for address, _ in comparison.of_type(IMAGE):
        old, new = comparison.both(address)
        was, now = _name(old), _name(new)
        if was != now:
            found.append(_item(address.name.removesuffix("-image"), was, now))
    return found


def _name(resource: Resource | None) -> str | None:
    return None if resource is None else str(resource.inputs.get("name"))


def _item(service: str, was: str | None, now: str | None) -> Item:
    kind = Kind.of(was, now)
    notes = _notes(Reference.parse(was), Reference.parse(now)) if was and now else ()
    why: list[Line] = [(note,) for note in notes]
    line = ("image of ", Quote(service), f" {kind}")
    return Item.judged(kind, service, line, why, [Field("image", was, now)], Mark.CAUTION)


def _notes(old: Reference, new: Reference) -> Iterator[str]:
    if old.repository != new.repository:
        yield "another repository"
    elif old.version and new.version:
        if old.version[0] != new.version[0]:
            yield f"another major version: {old.version[0]} to {new.version[0]}"
        if new.version < old.version:
            yield "an older version"
    if old.digest and not new.digest:
        yield "no longer pinned by its digest"
    if old.digest and old.digest == new.digest and old.tag != new.tag:
        yield "the digest is the same: what runs does not change"
    if old.tag == new.tag and old.repository == new.repository and old.digest != new.digest:
        yield "the same tag with another content"
