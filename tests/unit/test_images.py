"""Table of images, and its overrides by settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from components.catalog.image import Image
from components.catalog.images import IMAGES
from components.settings.settings import Settings

every_image = pytest.mark.parametrize("image", IMAGES.values(), ids=list(IMAGES))
every_service = pytest.mark.parametrize("service", IMAGES)


@every_image
def test_image_tag_is_a_version(image: Image) -> None:
    assert re.fullmatch(r"v?\d+\.\d+\.?\d*(-[a-z]+)?", image.tag)


@every_image
def test_image_digest_is_a_full_sha256(image: Image) -> None:
    assert image.digest is None or re.fullmatch(r"sha256:[0-9a-f]{64}", image.digest)


def test_image_digests_are_unique() -> None:
    digests = [image.digest for image in IMAGES.values() if image.digest]
    assert len(digests) == len(set(digests))


def test_image_user_is_root_for_cadvisor_alone() -> None:
    """An added capability has no effect for others: docs/decisions/0021-containers.md."""
    assert [name for name, image in IMAGES.items() if image.uid == 0] == ["cadvisor"]


def test_redis_exporter_image_is_alpine() -> None:
    assert IMAGES["redis-exporter"].tag.endswith("-alpine")


@pytest.mark.parametrize(
    ("digest", "reference"),
    [(None, "a/b:v1"), ("sha256:" + "0" * 64, "a/b:v1@sha256:" + "0" * 64)],
)
def test_image_reference_includes_the_digest(digest: str | None, reference: str) -> None:
    assert Image("a/b", "v1", digest, 1).reference == reference


@every_service
def test_image_reference_with_mirror_is_prefixed(
    service: str, settings: Callable[..., Settings]
) -> None:
    mirrored = settings(imageRegistryMirror="mirror.example.com:5000/hub").image(service)
    assert mirrored == f"mirror.example.com:5000/hub/{IMAGES[service].reference}"


@every_service
def test_image_override_is_used_unchanged(service: str, settings: Callable[..., Settings]) -> None:
    changed = settings(images={service: "own/image:1"}, imageRegistryMirror="mirror.example.com")
    assert changed.image(service) == "own/image:1"


def _pulled(view: Any) -> dict[str, str]:
    images = view.inputs("RemoteImage")
    return {n.removesuffix("-image"): i["name"] for n, i in images.items() if "build" not in i}


def test_services_pull_the_images_of_the_table(view: Any) -> None:
    pulled = _pulled(view)
    assert pulled == {service: IMAGES[service].reference for service in pulled}


def test_image_override_is_pulled(changed: Any) -> None:
    assert _pulled(changed)["grafana"] == "own/grafana:1"


def test_checker_image_is_the_services_image(changed: Any) -> None:
    assert changed.config("prometheus")["image"] == "own/prometheus:1"


def test_demo_image_is_based_on_the_settings_image(run_program: Callable[..., Any]) -> None:
    view = run_program("dev", images={"demo-python": "own/python:1"})
    build = view.inputs("RemoteImage")["demo-image"]["build"]
    assert build["buildArgs"] == {"BASE": "own/python:1"}
