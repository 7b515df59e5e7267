"""Says how far it is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

LINE_SECONDS = 10
_UNITS = ("bytes", "kB", "MB", "GB", "TB")

Advance = Callable[[int], None]


class Teller:
    """Where backup and restore say what they do."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, words: str) -> None:
        self._console.print(words, soft_wrap=True, markup=False, highlight=False)

    @contextlib.contextmanager
    def transfer(self, what: str, total: int) -> Iterator[Advance]:
        """`total` bytes are to go through; the caller tells of each piece."""
        if self._console.is_terminal:
            with Progress(
                TextColumn(what),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            ) as bar:
                task = bar.add_task(what, total=total)
                yield lambda size: bar.advance(task, size)
        else:
            yield self._lines(what, total)

    def _lines(self, what: str, total: int) -> Advance:
        done, said = 0, time.monotonic()

        def advance(size: int) -> None:
            nonlocal done, said
            done += size
            if time.monotonic() - said >= LINE_SECONDS:
                said = time.monotonic()
                self.say(f"{what}: {human(done)} of {human(total)}")

        return advance


def human(size: float) -> str:
    """A size in bytes, as people say it: `1.2 GB`."""
    for unit in _UNITS[:-1]:
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} {_UNITS[-1]}"
