"""GitHub's API by way of the `gh` CLI, which GitHub's runners have."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ops.errors import OpsError

TIMEOUT_SECONDS = 120
_STATUS = re.compile(r"\(HTTP (\d{3})\)")
_ADVICE = {
    401: "fix: the token in GITHUB_TOKEN is wrong or has expired; set another",
    403: "fix: give the job `permissions: pull-requests: write`, which the pull request of a fork "
    "never gets (docs/guides/ci.md)",
    404: "fix: check --repository and --pull-request, and that the token may read them",
}


class GitHubError(OpsError):
    """GitHub refused a request; the message has its answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status

    @property
    def temporary(self) -> bool:
        """Return whether a retry may succeed: no answer, server error or rate limit."""
        return self.status in (0, 429) or self.status >= 500 or "rate limit" in str(self).lower()


@dataclass(frozen=True)
class GitHub:
    """`api` is the REST URL and `graphql` the GraphQL URL, as a workflow's environment has them."""

    api: str
    graphql: str
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        for url in (self.api, self.graphql):
            parts = urlsplit(url)
            if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
                raise OpsError(f"{url} is not an https address: the token is not sent unencrypted.")

    @classmethod
    def from_environment(cls) -> GitHub:
        """Raises OpsError."""
        token = os.environ.get("GITHUB_TOKEN", "")
        if not token:
            raise OpsError("GITHUB_TOKEN is not set. fix: set it to a token that may comment.")
        return cls(
            os.environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/"),
            os.environ.get("GITHUB_GRAPHQL_URL", "https://api.github.com/graphql"),
            token,
        )

    def login(self) -> str:
        """Return the token's account; a workflow's is `github-actions[bot]`."""
        found = self.call("POST", self.graphql, {"query": "{viewer{login}}"})
        return str(found["data"]["viewer"]["login"])

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the answer of one request. Raises GitHubError."""
        answer = self._gh([self._url(path), "--method", method], body)
        return json.loads(answer) if answer.strip() else None

    def pages(self, path: str) -> Iterator[Any]:
        """Return the elements of a list, over all of its pages. Raises GitHubError."""
        url = self._url(f"{path}?per_page=100")
        for line in self._gh([url, "--paginate", "--jq", ".[]"]).splitlines():
            yield json.loads(line)

    def _url(self, path: str) -> str:
        return path if "://" in path else f"{self.api}{path}"

    def _gh(self, arguments: list[str], body: Mapping[str, Any] | None = None) -> str:
        found = shutil.which("gh")
        if found is None:
            raise OpsError("The GitHub CLI `gh` is not on PATH. fix: install it (cli.github.com).")
        with tempfile.TemporaryDirectory() as folder:
            if body:
                file = Path(folder) / "body.json"
                file.write_text(json.dumps(body))
                arguments = [*arguments, "--input", str(file)]
            environment = {
                **{key: os.environ[key] for key in ("PATH", "HTTPS_PROXY") if key in os.environ},
                # Neither the user's login nor the user's settings.
                "GH_CONFIG_DIR": folder,
                "GH_PROMPT_DISABLED": "1",
                "NO_COLOR": "1",
                self._token_variable: self.token,
            }
            try:
                done = subprocess.run(
                    [found, "api", *arguments],
                    stdin=subprocess.DEVNULL,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=TIMEOUT_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise GitHubError(f"GitHub did not answer within {TIMEOUT_SECONDS} s.") from None
        if done.returncode == 0:
            return done.stdout
        status = int(found_status[1]) if (found_status := _STATUS.search(done.stderr)) else 0
        path = urlsplit(arguments[0]).path
        message = done.stderr.strip().removeprefix("gh: ")[:500]
        raise GitHubError(f"{path}: {message}. {_ADVICE.get(status, '')}".rstrip(), status)

    @property
    def _token_variable(self) -> str:
        """Return the variable by which gh sends the token to this host only."""
        host = urlsplit(self.api).hostname or ""
        return "GH_TOKEN" if host.endswith("github.com") else "GH_ENTERPRISE_TOKEN"
