"""Build of images from Debian packages: resolve, download once, then one image after another."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import docker
import docker.errors

from ops.offline.images import rootfs, wheels
from ops.offline.images.debian import Apt, Package, architecture, upstream_version
from ops.offline.images.errors import LocalImagesError
from ops.offline.images.recipes import LABEL, LEFT_OUT, PATH, RECIPES, REPOSITORY_PREFIX, Recipe

BUILDERS = 2  # unpacking keeps a core busy, and the smallest machines have two
BYTES_PER_MB = 1_000_000

Report = Callable[[str], None]


def make(
    hashes: Mapping[str, str], suite: str, client: docker.DockerClient, report: Report
) -> dict[str, str]:
    """Make an image of every service in ``hashes``, labelled with its hash; return the tags."""
    arch = architecture()
    if (engine := client.version()["Arch"]) != arch:
        raise LocalImagesError(f"the Docker Engine runs on {engine}, this machine on {arch}")
    with tempfile.TemporaryDirectory(prefix="vitalstream-images-") as folder:
        workdir = Path(folder)
        report(f"fetching the package lists of Debian {suite}")
        apt = Apt(workdir / "apt", suite, LEFT_OUT)
        apt.refresh()
        closures, archives = _download(apt, hashes, report)
        builder = _Builder(client, arch, workdir, archives, report)
        # The python image waits for pip most of the time: first, beside the others.
        order = sorted(hashes, key=lambda service: not RECIPES[service].demo)
        with ThreadPoolExecutor(BUILDERS) as pool:
            images = {
                service: pool.submit(builder.build, service, closures[service], hashes[service])
                for service in order
            }
            try:
                tags = {service: image.result() for service, image in images.items()}
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    _remove_untagged(client)
    return tags


def _download(
    apt: Apt, services: Iterable[str], report: Report
) -> tuple[dict[str, list[Package]], Path]:
    """Download the packages; return those of each service, and their folder."""
    needed = {service: RECIPES[service].all_packages for service in services}
    closures = {service: apt.resolve(packages) for service, packages in needed.items()}
    count = len({package.filename for closure in closures.values() for package in closure})
    report(f"downloading {count} Debian packages")
    return closures, apt.download(sorted({name for names in needed.values() for name in names}))


@dataclass(frozen=True)
class _Builder:
    client: docker.DockerClient
    arch: str
    workdir: Path
    archives: Path
    report: Report

    def build(self, service: str, closure: list[Package], digest: str) -> str:
        started = time.monotonic()
        recipe = RECIPES[service]
        package = next(p for p in closure if re.fullmatch(recipe.tag_package, p.name))
        version = upstream_version(package.version)
        tag = f"{REPOSITORY_PREFIX}/{service}:{version}"
        archive = self.workdir / f"{service}.tar"
        trees = {}
        if recipe.demo:
            self.report("installing the demo's Python packages")
            python = package.name.removeprefix("python")
            site_packages = self.workdir / "site-packages"
            wheels.install(site_packages, python, self.arch)
            trees[site_packages] = wheels.SITE_PACKAGES.format(version=python)
        rootfs.write(archive, recipe, [self.archives / p.filename for p in closure], trees)
        size = archive.stat().st_size
        self._load(archive, tag, configuration(recipe, version, digest))
        took = time.monotonic() - started
        self.report(f"made {tag}: {size / BYTES_PER_MB:.0f} MB in {took:.1f} s")
        return tag

    def _load(self, layer: Path, tag: str, config: Mapping[str, object]) -> None:
        archive = layer.with_suffix(".image")
        write_image(archive, layer, tag, self.arch, config)
        layer.unlink()
        with archive.open("rb") as content:
            self.client.images.load(content)
        archive.unlink()


def _remove_untagged(client: docker.DockerClient) -> None:
    """Remove images that lost their tag to a newer one, unless a container still uses them."""
    for image in client.images.list(filters={"label": LABEL, "dangling": True}):
        with suppress(docker.errors.APIError):
            client.images.remove(str(image.id))


def write_image(
    archive: Path, layer: Path, tag: str, arch: str, config: Mapping[str, object]
) -> None:
    """Write an archive for ``docker load``: one layer, its configuration and its tag.

    Not ``docker import``: that cannot set a stop signal.
    """
    with layer.open("rb") as content:
        diff_id = hashlib.file_digest(content, "sha256").hexdigest()
    image = {
        "architecture": arch,
        "os": "linux",
        "created": datetime.now(UTC).isoformat(),
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]},
    }
    text = json.dumps(image).encode()
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [tag], "Layers": ["layer.tar"]}]
    with tarfile.open(archive, "w") as out:
        for path, data in ((name, text), ("manifest.json", json.dumps(manifest).encode())):
            member = tarfile.TarInfo(path)
            member.size = len(data)
            out.addfile(member, io.BytesIO(data))
        out.add(layer, "layer.tar")


def configuration(recipe: Recipe, version: str, digest: str) -> dict[str, object]:
    """Return the image's configuration, as in the OCI image specification."""
    major = version.split(".", 1)[0]
    environment = {"PATH": PATH, **recipe.environment}
    config: dict[str, object] = {
        "User": f"{recipe.uid}:{recipe.uid}" if recipe.uid else "",
        "Env": [f"{key}={text.format(major=major)}" for key, text in environment.items()],
        "Entrypoint": list(recipe.entrypoint),
        "Cmd": list(recipe.command),
        "WorkingDir": recipe.workdir,
        "Labels": {LABEL: digest},
    }
    return config | ({"StopSignal": recipe.stop_signal} if recipe.stop_signal else {})
