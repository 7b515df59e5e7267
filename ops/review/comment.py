"""One comment a stack on a pull request, updated in place: `python -m ops comment`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.errors import OpsError
from ops.review.github import GitHub, GitHubAway

# GitHub refuses a longer comment. What it counts is not documented: UTF-16 units are the most.
MAX_UNITS = 65536
# A report is at most as long as a comment; a file beyond that was not made by `ops diff`.
MAX_FILE_BYTES = 1_000_000
MARKER = re.compile(r"<!-- vitalstream-preview: (?P<stack>[A-Za-z0-9_.-]{1,100}) -->")
REPOSITORY = re.compile(r"[A-Za-z0-9-]{1,39}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
# Control characters, and those that turn the direction of what follows.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# What GitHub takes to show a comment that it has just made.
SETTLE_SECONDS = 3
CUT = "\n\n*Cut here: a comment has no room for more. The job's summary has the rest.*\n"
FROM_A_FORK = (
    "> [!NOTE]\n"
    "> This pull request comes from a fork, and its own code made the report: read it as its "
    "author's words.\n"
)


@dataclass(frozen=True)
class Report:
    """A report as `ops diff` writes it: its first line is the marker that it is found by."""

    marker: str
    text: str

    @classmethod
    def read(cls, path: Path, stack: str | None = None) -> Report:
        """Of this stack, if one is named. Raises OpsError."""
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
                f"{path} does not begin with <!-- vitalstream-preview: STACK -->: it is no report "
                "of `python -m ops diff`."
            )
        if stack and found["stack"] != stack:
            raise OpsError(f"{path} is the report of stack {found['stack']}, not of {stack}.")
        return cls(marker.strip(), UNSEEN.sub("", text))


@dataclass(frozen=True)
class PullRequest:
    """`head_sha` and `head_repository`, where they are known, are what the report is of."""

    repository: str
    number: int
    head_sha: str | None = None
    head_repository: str | None = None

    @property
    def comments(self) -> str:
        return f"/repos/{self.repository}/issues/{self.number}/comments"


def post(github: GitHub, pull_request: PullRequest, report: Report) -> str:
    """Creates or updates the report's comment and says what was done.

    Raises OpsError and GitHubError.
    """
    note = ""
    if pull_request.head_sha:
        found = github.get(f"/repos/{pull_request.repository}/pulls/{pull_request.number}")
        if passed := _passed(found, pull_request):
            return passed
        if pull_request.head_repository != pull_request.repository:
            note = FROM_A_FORK
    body = fitted(f"{report.marker}\n{note}{report.text}")
    login = github.login()
    try:
        return _put(github, pull_request, report.marker, login, body)
    except GitHubAway:
        # It may have been made all the same: looked for again, it is found.
        github.sleep(SETTLE_SECONDS)
        return _put(github, pull_request, report.marker, login, body)


def _passed(found: Any, wanted: PullRequest) -> str | None:
    """Why there is nothing to say any more. Raises OpsError on another's pull request."""
    head = found["head"]
    if ((head["repo"] or {}).get("full_name")) != wanted.head_repository:
        raise OpsError(
            f"Pull request {wanted.number} is not from {wanted.head_repository}: the report is not "
            "of it."
        )
    if found["state"] != "open":
        return f"Pull request {wanted.number} is closed: nothing posted."
    if head["sha"] != wanted.head_sha:
        return f"Pull request {wanted.number} has a newer commit: nothing posted."
    return None


def _put(github: GitHub, pull_request: PullRequest, marker: str, login: str, body: str) -> str:
    ours = list(_ours(github, pull_request, marker, login))
    if not ours:
        made = github.create(pull_request.comments, {"body": body})
        return f"created {made['html_url']}"
    first, *more = ours
    for other in more:
        github.delete(_path(pull_request, other))
    if _normal(first["body"]) == _normal(body):
        return f"unchanged {first['html_url']}"
    github.update(_path(pull_request, first), {"body": body})
    return f"updated {first['html_url']}"


def _ours(github: GitHub, pull_request: PullRequest, marker: str, login: str) -> Iterator[Any]:
    """The token's own comments that begin with the marker: anybody can write one that does."""
    for comment in github.pages(pull_request.comments):
        author = (comment.get("user") or {}).get("login")
        lines = (comment.get("body") or "").splitlines()
        if author == login and lines and lines[0].strip() == marker:
            yield comment


def _path(pull_request: PullRequest, comment: Any) -> str:
    return f"/repos/{pull_request.repository}/issues/comments/{int(comment['id'])}"


def _normal(text: str) -> str:
    """GitHub may give line ends and the space around a body back in another form."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def fitted(text: str, limit: int = MAX_UNITS) -> str:
    """The text, cut at a line if it is too long, with no block left open.

    `ops diff` keeps to the limit by itself, and more sensibly; this is for whatever it misses.
    """
    if _units(text) <= limit:
        return text
    kept: list[str] = []
    room = limit - _units(CUT) - 200
    for line in text.splitlines(keepends=True):
        room -= _units(line)
        if room < 0:
            break
        kept.append(line)
    fence = _open_fence(kept)
    details = sum(line.count("<details") - line.count("</details>") for line in kept)
    closing = (f"\n{fence}\n" if fence else "") + "\n</details>\n" * min(max(details, 0), 10)
    return f"{''.join(kept).rstrip()}\n{closing}{CUT}"


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _open_fence(lines: list[str]) -> str:
    """The code fence that is open after these lines, if one is."""
    fence = ""
    for line in lines:
        found = re.match(r" {0,3}(`{3,}|~{3,})", line)
        if found is None:
            continue
        if not fence:
            fence = found[1]
        elif found[1].startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
    return fence


def target(
    repository: str, number: int, head_sha: str | None, head_repository: str | None
) -> PullRequest:
    """The pull request, its names held against what may go into a path. Raises OpsError."""
    for name in (repository, head_repository):
        if name is not None and not REPOSITORY.fullmatch(name):
            raise OpsError(f"{name!r} is no repository: give it as owner/name.")
    if (head_sha is None) != (head_repository is None):
        raise OpsError("--head-sha and --head-repository go together.")
    return PullRequest(repository, number, head_sha, head_repository)
