"""`python -m ops comment` with the real GitHub CLI, against a fake of GitHub's API."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import __main__ as command
from ops.errors import OpsError
from ops.review import comment
from ops.review.comment import PullRequest, Report, post
from ops.review.github import GitHub, GitHubError
from tests.unit.fake_github import BOT, HEAD, TOKEN, FakeGitHub, Fault, serving
from tests.unit.report_files import MARKER, written

REPORT = Report(MARKER, "## prod\n\nOne alert is weaker.\n")
PULL_REQUEST = PullRequest("clinic/monitoring", 7)
OF_A_FORK = PullRequest("clinic/monitoring", 7, HEAD, "somebody/monitoring")


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    if not shutil.which("gh"):
        pytest.skip("the GitHub CLI is not on PATH; `python -m ops machine` fetches it")
    with serving(FakeGitHub()) as fake:
        yield fake


@pytest.fixture
def busy(github: FakeGitHub) -> FakeGitHub:
    """Return a pull request with three pages of comments by others."""
    for number in range(250):
        github.say(f"comment {number}")
    return github


def test_post_first_report_creates_a_comment(busy: FakeGitHub) -> None:
    assert post(busy.client(), PULL_REQUEST, REPORT).startswith("created https://")
    assert busy.bodies() == [f"{MARKER}\n## prod\n\nOne alert is weaker.\n"]


def test_post_with_comment_on_the_third_page_updates_it(busy: FakeGitHub) -> None:
    busy.say(f"{MARKER}\nold", BOT)
    assert post(busy.client(), PULL_REQUEST, REPORT).startswith("updated https://")
    assert busy.bodies() == [f"{MARKER}\n## prod\n\nOne alert is weaker.\n"]


def test_post_same_report_writes_nothing(github: FakeGitHub) -> None:
    post(github.client(), PULL_REQUEST, REPORT)
    github.comments[0]["body"] = github.comments[0]["body"].replace("\n", "\r\n").strip()
    github.asked.clear()
    assert post(github.client(), PULL_REQUEST, REPORT).startswith("unchanged https://")
    assert [asked for asked in github.asked if asked.startswith(("PATCH", "DELETE"))] == []


def test_post_keeps_the_comment_of_another_stack(github: FakeGitHub) -> None:
    github.say("<!-- vitalstream-preview: dev -->\ndev", BOT)
    post(github.client(), PULL_REQUEST, REPORT)
    assert len(github.bodies()) == 2


def test_post_keeps_another_users_comment_with_the_marker(github: FakeGitHub) -> None:
    github.say(f"{MARKER}\nno change at all", "mallory")
    post(github.client(), PULL_REQUEST, REPORT)
    assert github.bodies("mallory") == [f"{MARKER}\nno change at all"]
    assert len(github.bodies()) == 1


def test_post_ignores_a_marker_below_the_first_line(github: FakeGitHub) -> None:
    github.say(f"a bot quotes\n{MARKER}\n", BOT)
    post(github.client(), PULL_REQUEST, REPORT)
    assert len(github.bodies()) == 2


def test_post_ignores_the_comment_of_a_deleted_account(github: FakeGitHub) -> None:
    github.say(f"{MARKER}\n", BOT)["user"] = None
    github.say(f"{MARKER}\n", BOT)
    assert post(github.client(), PULL_REQUEST, REPORT).startswith("updated")


def test_post_with_several_own_comments_keeps_the_oldest(github: FakeGitHub) -> None:
    kept = github.say(f"{MARKER}\none", BOT)["id"]
    github.say(f"{MARKER}\ntwo", BOT)
    github.say(f"{MARKER}\nthree", BOT)
    post(github.client(), PULL_REQUEST, REPORT)
    assert [found["id"] for found in github.comments] == [kept]


def test_post_with_a_comment_deleted_meanwhile_succeeds(github: FakeGitHub) -> None:
    github.say(f"{MARKER}\none", BOT)
    github.say(f"{MARKER}\ntwo", BOT)
    github.faults["DELETE"] = [Fault(404)]
    assert post(github.client(), PULL_REQUEST, REPORT).startswith("updated")


def test_post_with_a_users_token_updates_the_users_comment(github: FakeGitHub) -> None:
    github.login = "octavia"
    github.say(f"{MARKER}\nold", "octavia")
    assert post(github.client(), PULL_REQUEST, REPORT).startswith("updated")


def test_post_with_comment_created_in_spite_of_an_error_creates_one(github: FakeGitHub) -> None:
    github.faults["POST"] = [None, Fault(502, done=True)]
    assert post(github.client(), PULL_REQUEST, REPORT, lambda _: None).startswith("unchanged")
    assert len(github.bodies()) == 1


@pytest.mark.parametrize(
    ("status", "message", "advice"),
    [
        (401, "Bad credentials", "wrong or has expired"),
        (403, "Resource not accessible by integration", "pull-requests: write"),
        (403, "Unable to create comment because issue is locked.", "issue is locked"),
        (404, "Not Found", "check --repository and --pull-request"),
        (422, "Validation Failed", "Validation Failed"),
    ],
)
def test_post_refused_reports_githubs_message_and_a_fix(
    github: FakeGitHub, status: int, message: str, advice: str
) -> None:
    github.faults["POST"] = [None, Fault(status, message)]
    waits: list[float] = []
    with pytest.raises(GitHubError) as refused:
        post(github.client(), PULL_REQUEST, REPORT, waits.append)
    assert message in str(refused.value)
    assert advice in str(refused.value)
    assert TOKEN not in str(refused.value)
    assert waits == []


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE", "POST"])
@pytest.mark.parametrize("fault", [Fault(502), Fault(429), Fault(403, "secondary rate limit")])
def test_post_after_temporary_error_succeeds(github: FakeGitHub, method: str, fault: Fault) -> None:
    github.say(f"{MARKER}\none", BOT)
    github.say(f"{MARKER}\ntwo", BOT)
    github.faults[method] = [fault]
    waits: list[float] = []
    assert post(github.client(), PULL_REQUEST, REPORT, waits.append).startswith("updated")
    assert waits == [5]
    assert len(github.bodies()) == 1


def test_post_after_three_errors_fails(github: FakeGitHub) -> None:
    github.faults["GET"] = [Fault(500, "oops")] * 3
    with pytest.raises(GitHubError, match="oops"):
        post(github.client(), PULL_REQUEST, REPORT, lambda _: None)
    assert github.faults["GET"] == []


@pytest.mark.usefixtures("github")
def test_post_without_answer_fails() -> None:
    away = GitHub("http://127.0.0.1:9", "http://127.0.0.1:9/graphql", TOKEN)
    with pytest.raises(GitHubError, match="refused"):
        post(away, PULL_REQUEST, REPORT, lambda _: None)


def test_post_without_gh_says_how_to_get_it(
    github: FakeGitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OpsError, match=r"`gh` is not on PATH. fix: install it"):
        post(github.client(), PULL_REQUEST, REPORT)


def test_github_with_http_url_is_refused() -> None:
    with pytest.raises(OpsError, match="not sent unencrypted"):
        GitHub("http://github.invalid", "https://github.invalid/graphql", TOKEN)


def test_repr_hides_the_token(github: FakeGitHub) -> None:
    assert TOKEN not in repr(github.client())


def test_post_report_of_the_head_creates_a_comment(github: FakeGitHub) -> None:
    own = PullRequest("clinic/monitoring", 7, HEAD, "clinic/monitoring")
    assert post(github.client(), own, REPORT).startswith("created")
    assert "fork" not in github.bodies()[0]


def test_post_report_of_a_fork_warns_below_the_marker(github: FakeGitHub) -> None:
    github.pull_request["head"]["repo"]["full_name"] = "somebody/monitoring"
    post(github.client(), OF_A_FORK, REPORT)
    assert github.bodies()[0].startswith(f"{MARKER}\n> [!NOTE]\n> This pull request comes from a")


def test_post_report_of_another_pull_request_is_refused(github: FakeGitHub) -> None:
    with pytest.raises(OpsError, match="is not from somebody/monitoring"):
        post(github.client(), OF_A_FORK, REPORT)
    assert github.comments == []


def test_post_report_of_a_deleted_fork_is_refused(github: FakeGitHub) -> None:
    github.pull_request["head"]["repo"] = None
    with pytest.raises(OpsError, match="is not from"):
        post(github.client(), OF_A_FORK, REPORT)


def test_post_report_of_an_older_commit_posts_nothing(github: FakeGitHub) -> None:
    old = PullRequest("clinic/monitoring", 7, "5" * 40, "clinic/monitoring")
    assert "newer commit: nothing posted" in post(github.client(), old, REPORT)
    assert github.comments == []


def test_post_report_of_a_closed_pull_request_posts_nothing(github: FakeGitHub) -> None:
    github.pull_request["state"] = "closed"
    own = PullRequest("clinic/monitoring", 7, HEAD, "clinic/monitoring")
    assert "closed: nothing posted" in post(github.client(), own, REPORT)


def test_post_long_report_is_cut(github: FakeGitHub) -> None:
    post(github.client(), PULL_REQUEST, Report(MARKER, "line\n" * 30000))
    assert len(github.bodies()[0]) <= 65536


@pytest.mark.parametrize("name", ["clinic", "clinic/../x", "clinic/..", "a b/c", "clinic/x?y"])
def test_target_with_invalid_repository_is_refused(name: str) -> None:
    with pytest.raises(OpsError, match="give it as owner/name"):
        comment.target(name, 7, None, None)


def test_target_with_head_sha_alone_is_refused() -> None:
    with pytest.raises(OpsError, match="go together"):
        comment.target("clinic/monitoring", 7, HEAD, None)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["ops", "comment", *arguments])
    with pytest.raises(SystemExit) as ended:
        command.run()
    return int(ended.value.code or 0)


def test_command_with_workflow_environment_posts(
    github: FakeGitHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("GITHUB_API_URL", github.url)
    monkeypatch.setenv("GITHUB_GRAPHQL_URL", f"{github.url}/graphql")
    path = written(tmp_path, f"{MARKER}\nnews\n")
    arguments = ("--file", str(path), "--repository", "clinic/monitoring", "--pull-request", "7")
    assert run(monkeypatch, *arguments) == 0
    assert capsys.readouterr().out.startswith("created https://")
    assert github.bodies() == [f"{MARKER}\nnews\n"]


def test_command_without_token_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    path = written(tmp_path, f"{MARKER}\nnews\n")
    arguments = ("--file", str(path), "--repository", "clinic/monitoring", "--pull-request", "7")
    assert run(monkeypatch, *arguments) == 1
    assert capsys.readouterr().err == (
        "error: GITHUB_TOKEN is not set. fix: set it to a token that may comment.\n"
    )
