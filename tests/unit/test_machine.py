"""promtool and amtool: from Debian, else from the pinned images, else from PATH."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ops import dev_machine
from ops.dev_machine import MachineError, Report
from ops.offline.images.errors import LocalImagesError


def executable(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\necho version 3.5.3\n")
    path.chmod(0o755)


def extract(target: Path, _: Report) -> None:
    for tool in dev_machine.TOOLS:
        executable(target / "usr/bin" / tool)


@pytest.fixture(autouse=True)
def private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine that has no tools and can fetch none."""

    def no_mirror(_target: Path, _report: Report) -> None:
        raise LocalImagesError("no source of Debian's packages")

    def no_engine(_target: Path, _report: Report) -> None:
        raise MachineError("no Docker Engine answers")

    monkeypatch.setattr(dev_machine, "PRIVATE", tmp_path / "private")
    monkeypatch.setattr(dev_machine, "_tools_of_debian", no_mirror)
    monkeypatch.setattr(dev_machine, "_tools_of_images", no_engine)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("IMAGES", raising=False)
    return tmp_path / "private"


@pytest.mark.parametrize("source", ["_tools_of_debian", "_tools_of_images"])
def test_ensure_tools_with_one_source_puts_them_first_on_path(
    source: str, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev_machine, source, extract)
    dev_machine.ensure_tools(lambda _: None)
    assert shutil.which("promtool") == str(private / "tools/usr/bin/promtool")


def test_ensure_tools_a_second_time_fetches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev_machine, "_tools_of_debian", extract)
    dev_machine.ensure_tools(lambda _: None)
    monkeypatch.setattr(dev_machine, "_tools_of_debian", None)
    dev_machine.ensure_tools(lambda _: None)


def test_ensure_tools_of_the_oldest_versions_uses_its_own_folder(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev_machine, "_tools_of_debian", extract)
    monkeypatch.setenv("IMAGES", "oldest")
    dev_machine.ensure_tools(lambda _: None)
    assert [path.name for path in private.iterdir()] == ["tools-trixie"]


def test_ensure_tools_not_executable_uses_those_on_path(
    private: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def extract_for_another_machine(target: Path, report: Report) -> None:
        extract(target, report)
        (target / "usr/bin/promtool").write_bytes(b"\x7fELF")

    monkeypatch.setattr(dev_machine, "_tools_of_debian", extract_for_another_machine)
    extract(tmp_path / "installed", lambda _: None)
    monkeypatch.setenv("PATH", f"{tmp_path}/installed/usr/bin:/usr/bin:/bin")
    dev_machine.ensure_tools(lambda _: None)
    assert shutil.which("promtool") == str(tmp_path / "installed/usr/bin/promtool")


def test_ensure_tools_without_a_source_names_each_reason() -> None:
    with pytest.raises(MachineError) as refusal:
        dev_machine.ensure_tools(lambda _: None)
    for words in ("no source of Debian's packages", "no Docker Engine answers", "fix: install"):
        assert words in str(refusal.value)
