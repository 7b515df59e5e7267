"""Post a stack's report as one comment on a pull request, updated in place."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ops.errors import OpsError
from ops.review.github import GitHub, GitHubError

# GitHub refuses a longer comment. The unit is not documented: UTF-16 units are the strictest.
MAX_UNITS = 65536
# A report is at most as long as a comment; a longer file was not written by `ops diff`.
MAX_FILE_BYTES = 1_000_000
MARKER = re.compile(r"<!-- vitalstream-preview: (?P<stack>[A-Za-z0-9_.-]{1,100}) -->")
REPOSITORY = re.compile(r"[A-Za-z0-9-]{1,39}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
# Control characters, and those that change the writing direction.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# GitHub advises to wait a minute after a rate limit.
RETRY_SECONDS = (5, 60)
CUT = "\n\n*Cut here: a comment has no room for more. The job's summary has the rest.*\n"
FROM_A_FORK = (
    "> [!NOTE]\n"
    "> This pull request comes from a fork, and its own code generated the report: its author can "
    "write anything here.\n"
)


@dataclass(frozen=True)
class Report:
    """Report of `ops diff`; its first line is the marker by which its comment is found."""

    marker: str
    text: str

    @classmethod
    def read(cls, path: Path, stack: str | None = None) -> Report:
        """Read the report of `stack`, or of any stack. Raises OpsError."""
        if path.is_symlink() or not path.is_file():
            raise OpsError(f"There is no report {path}.")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise OpsError(f"{path} is too long to be a report.")
        try:
            marker, _, text = path.read_bytes().decode().partition("\n")
        except UnicodeDecodeError:
            raise OpsError(f"{path} is not UTF-8.") from None
        found = MARKER.fullmatch(marker.strip())
        if found is None:
            raise OpsError(
                f"{path} does not begin with <!-- vitalstream-preview: STACK -->. fix: give a "
                "report that `python -m ops diff` wrote"
            )
        if stack and found["stack"] != stack:
            raise OpsError(f"{path} is the report of stack {found['stack']}, not of {stack}.")
        return cls(marker.strip(), UNSEEN.sub("", text))


@dataclass(frozen=True)
class PullRequest:
    """Pull request; `head_sha` and `head_repository` name the commit of the report, if known."""

    repository: str
    number: int
    head_sha: str | None = None
    head_repository: str | None = None

    @property
    def comments(self) -> str:
        return f"/repos/{self.repository}/issues/{self.number}/comments"


def post(
    github: GitHub,
    pull_request: PullRequest,
    report: Report,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Create or update the report's comment and say what was done.

    A temporary error is retried: a comment that was created in spite of it is found then. Raises
    OpsError.
    """
    note = ""
    if pull_request.head_sha:
        found = github.call("GET", f"/repos/{pull_request.repository}/pulls/{pull_request.number}")
        if reason := _outdated(found, pull_request):
            return reason
        if pull_request.head_repository != pull_request.repository:
            note = FROM_A_FORK
    body = fitted(f"{report.marker}\n{note}{report.text}")
    for wait in (*RETRY_SECONDS, None):
        try:
            return _put(github, pull_request, report.marker, body)
        except GitHubError as error:
            if wait is None or not error.temporary:
                raise
            sleep(wait)
    raise AssertionError("unreachable")


def _outdated(found: Any, wanted: PullRequest) -> str | None:
    """Return why nothing is posted any more. Raises OpsError on another's pull request."""
    head = found["head"]
    if ((head["repo"] or {}).get("full_name")) != wanted.head_repository:
        raise OpsError(
            f"Pull request {wanted.number} is not from {wanted.head_repository}: the report "
            "belongs to another one."
        )
    if found["state"] != "open":
        return f"Pull request {wanted.number} is closed: nothing posted."
    if head["sha"] != wanted.head_sha:
        return f"Pull request {wanted.number} has a newer commit: nothing posted."
    return None


def _put(github: GitHub, pull_request: PullRequest, marker: str, body: str) -> str:
    """Keep the oldest of the token's own comments with the marker; anybody can write a marker."""
    login = github.login()
    ours = [
        comment
        for comment in github.pages(pull_request.comments)
        if (comment.get("user") or {}).get("login") == login
        and (comment.get("body") or "").splitlines()[:1] == [marker]
    ]
    if not ours:
        made = github.call("POST", pull_request.comments, {"body": body})
        return f"created {made['html_url']}"
    first, *more = ours
    for other in more:
        try:
            github.call("DELETE", _path(pull_request, other))
        except GitHubError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
    if _normal(first["body"]) == _normal(body):
        return f"unchanged {first['html_url']}"
    github.call("PATCH", _path(pull_request, first), {"body": body})
    return f"updated {first['html_url']}"


def _path(pull_request: PullRequest, comment: Any) -> str:
    return f"/repos/{pull_request.repository}/issues/comments/{int(comment['id'])}"


def _normal(text: str) -> str:
    """Normalize line ends and trailing space, which GitHub may change."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def fitted(text: str, limit: int = MAX_UNITS) -> str:
    """Return the text, cut at a line if it is too long.

    `ops diff` keeps to the limit itself, section by section; this is the last resort.
    """
    if _units(text) <= limit:
        return text
    encoded = text.encode("utf-16-le")[: 2 * (limit - _units(CUT))]
    return encoded.decode("utf-16-le", "ignore").rpartition("\n")[0].rstrip() + CUT


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def target(
    repository: str, number: int, head_sha: str | None, head_repository: str | None
) -> PullRequest:
    """Return the pull request with validated names. Raises OpsError."""
    for name in (repository, head_repository):
        if name is not None and not REPOSITORY.fullmatch(name):
            raise OpsError(f"{name!r} is not a repository. fix: give it as owner/name")
    if (head_sha is None) != (head_repository is None):
        raise OpsError("--head-sha and --head-repository go together.")
    return PullRequest(repository, number, head_sha, head_repository)
