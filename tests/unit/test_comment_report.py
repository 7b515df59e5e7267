"""Report that `python -m ops comment` posts: how its file is read, and how it is cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.errors import OpsError
from ops.review import comment
from ops.review.comment import Report, fitted
from tests.unit.report_files import MARKER, written


def test_read_returns_marker_and_text(tmp_path: Path) -> None:
    assert Report.read(written(tmp_path, f"{MARKER}\n\nü\n"), "prod") == Report(MARKER, "\nü\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not begin with"),
        ("## prod\n", "does not begin with"),
        (f"\n{MARKER}\n", "does not begin with"),
        ("<!-- vitalstream-preview: a b -->\n", "does not begin with"),
        ("<!-- vitalstream-preview: dev -->\n", "stack dev, not of prod"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * 1_000_001, "too long"),
    ],
)
def test_read_other_file_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(OpsError, match=message):
        Report.read(written(tmp_path, text), "prod")


def test_read_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link.md").symlink_to(written(tmp_path, f"{MARKER}\n"))
    with pytest.raises(OpsError, match="There is no report"):
        Report.read(tmp_path / "link.md")


def test_read_removes_control_characters(tmp_path: Path) -> None:
    path = written(tmp_path, f"{MARKER}\nsafe \u202eneverse\x07\r\n")
    assert Report.read(path).text == "safe neverse\n"


def test_fitted_short_text_is_unchanged() -> None:
    assert fitted("x" * 65536) == "x" * 65536


@pytest.mark.parametrize("text", ["plain words\n" * 9000, "🚑 🚑\n" * 15000, "x" * 70000])
def test_fitted_long_text_is_cut(text: str) -> None:
    cut = fitted(f"{MARKER}\n{text}")
    assert len(cut.encode("utf-16-le")) // 2 <= 65536
    assert cut.startswith(MARKER)
    assert cut.endswith(comment.CUT)
