"""GitHub's REST API, as far as a comment on a pull request needs it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests

from ops.errors import OpsError

TIMEOUT_SECONDS = (5, 30)
ATTEMPTS = 4
# What a job may stand still for; a limit that lasts longer is told instead.
LONGEST_WAIT_SECONDS = 120
# GitHub's advice where it refuses for haste and does not say until when.
WAIT_UNTOLD_SECONDS = 60
PAGE_SIZE = 100
MAX_PAGES = 100


class GitHubError(OpsError):
    """GitHub did not do it; the message says why and the way out."""


class GitHubAway(GitHubError):
    """GitHub did not answer, or only with an error of its own: it may have done it all the same."""


@dataclass(frozen=True)
class GitHub:
    """`api` and `graphql` are the two URLs, as a workflow has them in its environment.

    A request that GitHub refuses for haste is repeated, and one that it fails to answer too, if
    repeating it is harmless.
    """

    api: str
    graphql: str
    token: str = field(repr=False)
    sleep: Callable[[float], None] = time.sleep
    session: requests.Session = field(default_factory=requests.Session, repr=False)

    def __post_init__(self) -> None:
        for url in (self.api, self.graphql):
            parts = urlsplit(url)
            if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
                raise GitHubError(f"{url} is no https address, and the token is not sent in clear.")

    @classmethod
    def of_environment(cls) -> GitHub:
        """With what a workflow's step has in its environment. Raises GitHubError."""
        token = os.environ.get("GITHUB_TOKEN", "")
        if not token:
            raise GitHubError("GITHUB_TOKEN is not set: it has to hold a token that may comment.")
        return cls(
            os.environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/"),
            os.environ.get("GITHUB_GRAPHQL_URL", "https://api.github.com/graphql"),
            token,
        )

    def login(self) -> str:
        """Whose token this is. A workflow's is `github-actions[bot]`, which REST does not tell."""
        answer = self._ask("POST", self.graphql, {"query": "{viewer{login}}"}, repeat=True)
        try:
            return str(answer["data"]["viewer"]["login"])
        except (KeyError, TypeError):
            raise GitHubError("GitHub does not say whose token GITHUB_TOKEN is.") from None

    def get(self, path: str) -> Any:
        return self._ask("GET", f"{self.api}{path}", repeat=True)

    def pages(self, path: str) -> Iterator[Any]:
        """The elements of a list, over all of its pages."""
        url: str | None = f"{self.api}{path}?per_page={PAGE_SIZE}"
        for _ in range(MAX_PAGES):
            response = self._send("GET", str(url), None, repeat=True)
            yield from _json(response)
            url = response.links.get("next", {}).get("url")
            if url is None:
                return
            if not url.startswith(f"{self.api}/"):
                raise GitHubError(f"The next page is elsewhere ({url}): the token stays here.")
        raise GitHubError(f"{path} has more than {MAX_PAGES} pages.")

    def create(self, path: str, body: Mapping[str, Any]) -> Any:
        """Not repeated after an error of GitHub's: it may have been made. Raises GitHubAway."""
        return self._ask("POST", f"{self.api}{path}", body, repeat=False)

    def update(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._ask("PATCH", f"{self.api}{path}", body, repeat=True)

    def delete(self, path: str) -> None:
        """What is gone already is deleted."""
        self._send("DELETE", f"{self.api}{path}", None, repeat=True, gone=True)

    def _ask(
        self, method: str, url: str, body: Mapping[str, Any] | None = None, *, repeat: bool
    ) -> Any:
        return _json(self._send(method, url, body, repeat=repeat))

    def _send(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None,
        *,
        repeat: bool,
        gone: bool = False,
    ) -> requests.Response:
        away = GitHubError()
        for attempt in range(ATTEMPTS):
            try:
                response = self.session.request(
                    method,
                    url,
                    json=body,
                    headers={
                        "Accept": "application/vnd.github+json",
                        "X-GitHub-Api-Version": "2022-11-28",
                    },
                    # Not among the headers: a ~/.netrc would win over one.
                    auth=self._sign,
                    timeout=TIMEOUT_SECONDS,
                    # Followed, a POST would become a GET.
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                away = GitHubAway(f"GitHub does not answer: {_reason(error)}.")
            else:
                if response.ok and not response.is_redirect:
                    return response
                if gone and response.status_code == HTTPStatus.NOT_FOUND:
                    return response
                if _is_haste(response):
                    self._wait_for_leave(response, last=attempt + 1 == ATTEMPTS)
                    continue
                if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise GitHubError(_told(response))
                away = GitHubAway(f"GitHub has an error of its own: {_told(response)}")
            if not repeat:
                break
            if attempt + 1 < ATTEMPTS:
                self.sleep(2.0**attempt)
        raise away

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request

    def _wait_for_leave(self, response: requests.Response, *, last: bool) -> None:
        """Until the token may ask again. Raises GitHubError if that is too long, or no use."""
        seconds = _seconds_to_wait(response, time.time())
        if last or seconds > LONGEST_WAIT_SECONDS:
            until = datetime.fromtimestamp(time.time() + seconds, UTC)
            raise GitHubError(
                "The token has asked GitHub too often. It may again from "
                f"{until:%Y-%m-%d %H:%M} UTC: run the job again then."
            )
        self.sleep(seconds)


def _is_haste(response: requests.Response) -> bool:
    """Source: GitHub, "Rate limits for the REST API": 403 or 429, told by headers or in words."""
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    return response.status_code == HTTPStatus.FORBIDDEN and (
        response.headers.get("x-ratelimit-remaining") == "0"
        or "retry-after" in response.headers
        or "rate limit" in response.text.lower()
    )


def _seconds_to_wait(response: requests.Response, now: float) -> float:
    after = response.headers.get("retry-after", "")
    if after.isdecimal():
        return float(after)
    reset = response.headers.get("x-ratelimit-reset", "")
    if response.headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        return max(1.0, float(reset) - now)
    return WAIT_UNTOLD_SECONDS


_ADVICE = {
    HTTPStatus.UNAUTHORIZED: "The token in GITHUB_TOKEN is wrong or has expired.",
    HTTPStatus.FORBIDDEN: (
        "The token may not do that: in a workflow the job needs `permissions: pull-requests: "
        "write`, which the pull request of a fork never gets (docs/guides/ci.md)."
    ),
    HTTPStatus.NOT_FOUND: (
        "There is no such repository or pull request, or the token may not see it."
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: "GitHub does not take what it was sent.",
}


def _told(response: requests.Response) -> str:
    """What GitHub says to a refusal, and what to do about it."""
    try:
        said = response.json()
        words = " ".join([said["message"], *(_fault(error) for error in said.get("errors", ()))])
    except (ValueError, KeyError, TypeError, AttributeError):
        words = "no word of why"
    if response.is_redirect:
        words = "the repository has another name now: give that one"
    method, path = response.request.method, urlsplit(str(response.request.url)).path
    advice = _ADVICE.get(HTTPStatus(response.status_code), "")
    return f"{method} {path}: {response.status_code}, {words[:500]}. {advice}".rstrip()


def _fault(error: Any) -> str:
    return str(error.get("message") or error.get("code")) if isinstance(error, dict) else str(error)


def _json(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        raise GitHubAway("GitHub's answer is no JSON: a proxy may stand in between.") from None


def _reason(error: requests.RequestException) -> str:
    """Without the address and the object ids that requests puts around it."""
    return "it took too long" if isinstance(error, requests.Timeout) else type(error).__name__
