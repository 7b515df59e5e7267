"""The wheel on each Python that it promises, where this machine has it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.metrics.servers import build_wheel, locked

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
# One request through the middleware, one timer, one scrape of a folder that workers share.
USE = """
import asyncio
from vitalstream_metrics import *
from vitalstream_metrics.exposition import render

@track_ecg_processing()
async def process(): ...

@track_request_metrics("/x")
async def handler():
    await process()

async def application(scope, receive, send):
    await handler()
    await send({"type": "http.response.start", "status": 201, "headers": []})
    await send({"type": "http.response.body", "body": b""})

async def ignore(*message): ...

scope = {"type": "http", "method": "POST", "path": "/"}
asyncio.run(MetricsMiddleware(application)(scope, ignore, ignore))
page = render("", [], False)[1].decode()
for line in page.splitlines():
    named = line.startswith(("http_requests_total", "ecg_processing_duration_seconds_count"))
    if named and line[-3:] == "1.0":
        print(line)
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_wheel_works_on_each_python(version: str, tmp_path: Path) -> None:
    found = shutil.which(f"python{version}")
    # pyenv has commands for versions that are not chosen: they fail.
    if not found or subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"this machine has no Python {version}")
    subprocess.run([found, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    (tmp_path / "requirements.txt").write_text(locked(("prometheus-client",)))
    subprocess.run([*pip, "--require-hashes", f"-r{tmp_path}/requirements.txt"], check=True)
    subprocess.run([*pip, "--no-index", str(build_wheel(tmp_path))], check=True)
    (tmp_path / "shared").mkdir()
    for env in ({}, {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "shared")}):
        done = subprocess.run(
            [python, "-c", USE], env=env, capture_output=True, text=True, check=True
        )
        assert sorted(done.stdout.splitlines()) == [
            "ecg_processing_duration_seconds_count 1.0",
            'http_requests_total{endpoint="/x",method="POST",status="201"} 1.0',
        ]
