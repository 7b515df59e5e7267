"""Local images: which are built, and their configuration; without Docker, apt or network."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import docker.errors
import pytest

from ops.offline import images
from ops.offline.images import (
    LocalImagesError,
    build,
    debian,
    wheels,
)
from ops.offline.images.recipes import ENTRYPOINTS, LABEL, RECIPES


class FakeImages:
    """Images of an engine; any other call than the list fails the test."""

    def __init__(self, tags_by_label: dict[str, list[str]]) -> None:
        self._tags_by_label = tags_by_label

    def list(self, filters: dict[str, str]) -> list[Any]:
        tags = self._tags_by_label.get(filters["label"], [])
        return [type("Image", (), {"tags": tags})()] if tags else []


class FakeClient:
    def __init__(self, tags_by_label: dict[str, list[str]] | None = None) -> None:
        self.images = FakeImages(tags_by_label or {})

    def version(self) -> dict[str, str]:
        return {"Arch": "amd64"}


def ensure(client: FakeClient, *services: str) -> dict[str, str]:
    return images.ensure(services, client, lambda line: None)  # type: ignore[arg-type]


@pytest.fixture
def amd64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "architecture", lambda: "amd64")
    monkeypatch.setattr(build, "architecture", lambda: "amd64")


@pytest.mark.parametrize(
    ("version", "upstream"),
    [
        ("2.42.0+ds-5+deb12u1", "2.42.0"),
        ("5:7.0.15-1~deb12u10", "7.0.15"),
        ("18.6-3", "18.6"),
        ("3.5.3+ds1-6", "3.5.3"),
        ("0.19.1-1+b1", "0.19.1"),
    ],
)
def test_image_tag_is_the_upstream_version(version: str, upstream: str) -> None:
    assert debian.upstream_version(version) == upstream


def test_image_with_current_hash_is_not_rebuilt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("IMAGES", raising=False)
    label = f"{LABEL}={images.recipe_hash('redis', 'testing')}"
    client = FakeClient({label: ["vitalstream-local/redis:7.0.15"]})
    assert ensure(client, "redis") == {"redis": "vitalstream-local/redis:7.0.15"}


def test_image_of_an_older_recipe_is_ignored(monkeypatch: pytest.MonkeyPatch, amd64: None) -> None:
    made: list[str] = []

    def make(hashes: dict[str, str], *_: object) -> dict[str, str]:
        made.extend(hashes)
        return {service: f"vitalstream-local/{service}:1" for service in hashes}

    monkeypatch.setattr(build, "make", make)
    ensure(FakeClient({f"{LABEL}=older": ["vitalstream-local/redis:7.0.15"]}), "redis")
    assert made == ["redis"]


def test_image_of_unknown_service_is_refused() -> None:
    with pytest.raises(LocalImagesError, match="no recipe for grafana, only for prometheus"):
        ensure(FakeClient(), "redis", "grafana")


def test_python_image_without_requirements_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(wheels, "REQUIREMENTS", tmp_path / "requirements.txt")
    with pytest.raises(LocalImagesError, match=r"requirements\.txt is missing"):
        ensure(FakeClient(), "python")


def test_engine_of_another_architecture_is_refused(
    monkeypatch: pytest.MonkeyPatch, amd64: None
) -> None:
    monkeypatch.setattr(build, "architecture", lambda: "arm64")
    with pytest.raises(LocalImagesError, match="runs on amd64, this machine on arm64"):
        ensure(FakeClient(), "redis")


def test_engine_error_is_one_line(monkeypatch: pytest.MonkeyPatch, amd64: None) -> None:
    def refuse(*_: object) -> None:
        raise docker.errors.APIError("500 for http+docker://…", explanation="no space left")

    monkeypatch.setattr(build, "make", refuse)
    with pytest.raises(LocalImagesError, match=r"^Docker: no space left$"):
        ensure(FakeClient(), "redis")


def test_build_failure_leaves_no_temporary_files(
    monkeypatch: pytest.MonkeyPatch, amd64: None, tmp_path: Path
) -> None:
    def refuse(*_: object) -> None:
        raise LocalImagesError("dpkg-deb cannot read it")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(debian.Apt, "refresh", refuse)
    with pytest.raises(LocalImagesError, match="cannot read"):
        ensure(FakeClient(), "redis")
    assert list(tmp_path.iterdir()) == []


def test_suite_of_each_choice_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for choice in ("", "newest", "oldest"):
        monkeypatch.setenv("IMAGES", choice)
        found.append(debian.suite())
    assert found == ["testing", "testing", "trixie"]


def test_suite_with_an_unknown_choice_names_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGES", "pinned")
    with pytest.raises(
        LocalImagesError, match=r"IMAGES=pinned is unknown\. fix: .*newest or oldest"
    ):
        debian.suite()


def test_recipe_hash_of_another_suite_differs() -> None:
    found = {images.recipe_hash("redis", suite) for suite in debian.SUITES.values()}
    assert len(found) == len(debian.SUITES)


def test_recipe_hash_of_another_entrypoint_differs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = images.recipe_hash("redis", "testing")
    monkeypatch.setattr(images, "ENTRYPOINTS", tmp_path)
    (tmp_path / "redis.sh").write_text("exec true")
    assert images.recipe_hash("redis", "testing") != before


def test_recipe_hash_of_other_requirements_differs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(wheels, "REQUIREMENTS", tmp_path / "requirements.txt")
    wheels.REQUIREMENTS.write_text("httpx==0.28.1")
    before = images.recipe_hash("python", "testing")
    wheels.REQUIREMENTS.write_text("httpx==0.28.0")
    assert images.recipe_hash("python", "testing") != before


def test_recipe_entrypoint_files_exist() -> None:
    named = {name for recipe in RECIPES.values() for name in recipe.files.values()}
    assert named == {path.name for path in ENTRYPOINTS.iterdir()}


@pytest.mark.parametrize("service", sorted(set(RECIPES) - {"python"}))
def test_recipe_user_is_not_root(service: str) -> None:
    config = build.configuration(RECIPES[service], version="1.0", digest="")
    assert config["User"] not in ("", "0:0")


def test_postgresql_stop_signal_is_fast_shutdown() -> None:
    config = build.configuration(RECIPES["postgres"], version="18.6", digest="")
    assert config["StopSignal"] == "SIGINT"


def test_postgresql_programs_are_on_path() -> None:
    config = build.configuration(RECIPES["postgres"], version="18.6", digest="")
    path = next(line for line in config["Env"] if line.startswith("PATH="))  # type: ignore[attr-defined]
    assert path.endswith(":/usr/lib/postgresql/18/bin")


def test_image_archive_has_the_digest_of_its_layer(tmp_path: Path) -> None:
    layer = tmp_path / "layer.tar"
    layer.write_bytes(b"layer")
    build.write_image(tmp_path / "image", layer, "a:1", "amd64", {"User": "999:999"})
    with tarfile.open(tmp_path / "image") as archive:
        manifest = json.load(archive.extractfile("manifest.json"))[0]  # type: ignore[arg-type]
        config = json.load(archive.extractfile(manifest["Config"]))  # type: ignore[arg-type]
    digest = hashlib.sha256(b"layer").hexdigest()
    assert config["rootfs"]["diff_ids"] == [f"sha256:{digest}"]
