"""One more kind of monitored service, added to a copy of the project, on real containers."""

from __future__ import annotations

from pathlib import Path

import docker

from tests import added_service


def test_mysql_added_by_its_files_alone_is_scraped_and_alerts(
    docker_client: docker.DockerClient, images: dict[str, str], tmp_path: Path
) -> None:
    project = tmp_path / "project"
    added_service.add(project)
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/live/test_mysql.py")
    done = added_service.run(project, *arguments, seconds=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
