"""Progress of a transfer: a bar on a terminal, a line every 10 s elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import rich.progress
from rich.console import Console
from rich.filesize import decimal

LINE_SECONDS = 10

Advance = Callable[[int], None]


class Progress:
    """Output of backup and restore."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def log(self, message: str) -> None:
        self._console.print(message, soft_wrap=True, markup=False, highlight=False)

    @contextlib.contextmanager
    def transfer(self, what: str, total: int) -> Iterator[Advance]:
        """Show the progress of `total` bytes; the caller reports the size of each chunk."""
        if self._console.is_terminal:
            columns = (
                rich.progress.TextColumn(what),
                rich.progress.BarColumn(),
                rich.progress.DownloadColumn(),
                rich.progress.TimeRemainingColumn(),
            )
            with rich.progress.Progress(*columns, console=self._console, transient=True) as bar:
                task = bar.add_task(what, total=total)
                yield lambda size: bar.advance(task, size)
        else:
            yield self._lines(what, total)

    def _lines(self, what: str, total: int) -> Advance:
        done, logged = 0, time.monotonic()

        def advance(size: int) -> None:
            nonlocal done, logged
            done += size
            if time.monotonic() - logged >= LINE_SECONDS:
                logged = time.monotonic()
                self.log(f"{what}: {human(done)} of {human(total)}")

        return advance


def human(size: float) -> str:
    """Format a size in bytes: `1.2 GB`."""
    return decimal(int(size))
