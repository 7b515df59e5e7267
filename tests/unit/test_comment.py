"""`python -m ops comment`, against GitHub's API on loopback."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import __main__ as command
from ops.errors import OpsError
from ops.review import comment
from ops.review.comment import (
    PullRequest,
    Report,
    fitted,
    post,
)
from ops.review.github import GitHub, GitHubError
from tests.unit.fake_github import BOT, HEAD, TOKEN, FakeGitHub, Fault, serving

MARKER = "<!-- vitalstream-preview: prod -->"
REPORT = Report(MARKER, "## prod\n\nOne alert is weaker.\n")
PULL_REQUEST = PullRequest("clinic/monitoring", 7)
OF_A_FORK = PullRequest("clinic/monitoring", 7, HEAD, "somebody/monitoring")


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with serving(FakeGitHub()) as fake:
        yield fake


@pytest.fixture
def busy(github: FakeGitHub) -> FakeGitHub:
    """A pull request with three pages of comments by others."""
    for number in range(250):
        github.say(f"comment {number}")
    return github


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "report.md"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_first_report_is_a_new_comment(busy: FakeGitHub) -> None:
    assert post(busy.client(), PULL_REQUEST, REPORT).startswith("created https://")
    assert busy.bodies() == [f"{MARKER}\n## prod\n\nOne alert is weaker.\n"]


def test_the_comment_is_found_on_the_third_page_and_updated(busy: FakeGitHub) -> None:
    busy.say(f"{MARKER}\nold", BOT)
    assert post(busy.client(), PULL_REQUEST, REPORT).startswith("updated https://")
    assert busy.bodies() == [f"{MARKER}\n## prod\n\nOne alert is weaker.\n"]


def test_every_page_is_looked_at_before_a_comment_is_made(busy: FakeGitHub) -> None:
    post(busy.client(), PULL_REQUEST, REPORT)
    assert sum(asked.startswith("GET") for asked in busy.asked) == 3


def test_the_same_report_again_writes_nothing(github: FakeGitHub) -> None:
    post(github.client(), PULL_REQUEST, REPORT)
    github.comments[0]["body"] = github.comments[0]["body"].replace("\n", "\r\n").strip()
    github.asked.clear()
    assert post(github.client(), PULL_REQUEST, REPORT).startswith("unchanged https://")
    assert [asked for asked in github.asked if asked.startswith(("PATCH", "DELETE"))] == []


def test_another_stacks_comment_is_left_alone(github: FakeGitHub) -> None:
    github.say("<!-- vitalstream-preview: dev -->\ndev", BOT)
    post(github.client(), PULL_REQUEST, REPORT)
    assert len(github.bodies()) == 2


def test_somebody_elses_comment_with_the_marker_is_left_alone(github: FakeGitHub) -> None:
    github.say(f"{MARKER}\nno change at all", "mallory")
    post(github.client(), PULL_REQUEST, REPORT)
    assert github.bodies("mallory") == [f"{MARKER}\nno change at all"]
    assert len(github.bodies()) == 1


def test_a_marker_further_down_is_no_marker(github: FakeGitHub) -> None:
    github.say(f"a bot quotes\n{MARKER}\n", BOT)
    post(github.client(), PULL_REQUEST, REPORT)
    assert len(github.bodies()) == 2


def test_a_comment_of_a_deleted_account_is_passed_over(github: FakeGitHub) -> None:
    github.say(f"{MARKER}\n", BOT)["user"] = None
    github.say(f"{MARKER}\n", BOT)
    assert post(github.client(), PULL_REQUEST, REPORT).startswith("updated")


def test_of_several_of_ours_the_oldest_stays(github: FakeGitHub) -> None:
    kept = github.say(f"{MARKER}\none", BOT)["id"]
    github.say(f"{MARKER}\ntwo", BOT)
    github.say(f"{MARKER}\nthree", BOT)
    post(github.client(), PULL_REQUEST, REPORT)
    assert [found["id"] for found in github.comments] == [kept]


def test_one_that_somebody_else_deletes_meanwhile_is_no_error(github: FakeGitHub) -> None:
    github.say(f"{MARKER}\none", BOT)
    github.say(f"{MARKER}\ntwo", BOT)
    github.faults["DELETE"] = [Fault(404)]
    assert post(github.client(), PULL_REQUEST, REPORT).startswith("updated")


def test_a_persons_token_finds_the_persons_comment(github: FakeGitHub) -> None:
    github.login = "octavia"
    github.say(f"{MARKER}\nold", "octavia")
    assert post(github.client(), PULL_REQUEST, REPORT).startswith("updated")


@pytest.mark.parametrize(
    ("status", "said", "advice"),
    [
        (401, "Bad credentials", "wrong or has expired"),
        (403, "Resource not accessible by integration", "pull-requests: write"),
        (403, "Unable to create comment because issue is locked.", "issue is locked"),
        (404, "Not Found", "no such repository or pull request"),
        (422, "Validation Failed", "does not take what it was sent"),
    ],
)
def test_a_refusal_is_told_with_githubs_words_and_advice(
    github: FakeGitHub, status: int, said: str, advice: str
) -> None:
    github.faults["POST"] = [None, Fault(status, said)]
    with pytest.raises(GitHubError) as refused:
        post(github.client(), PULL_REQUEST, REPORT)
    assert said in str(refused.value)
    assert advice in str(refused.value)


def test_a_refusal_is_not_tried_again(github: FakeGitHub) -> None:
    github.faults["GET"] = [Fault(403)]
    with pytest.raises(GitHubError):
        post(github.client(), PULL_REQUEST, REPORT)
    assert github.waits == []


def test_a_renamed_repository_is_told(github: FakeGitHub) -> None:
    github.faults["GET"] = [Fault(301, headers={"Location": f"{github.url}/elsewhere"})]
    with pytest.raises(GitHubError, match="another name now"):
        post(github.client(), PULL_REQUEST, REPORT)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE", "POST"])
def test_an_error_of_githubs_own_is_waited_out(github: FakeGitHub, method: str) -> None:
    github.say(f"{MARKER}\none", BOT)
    github.say(f"{MARKER}\ntwo", BOT)
    github.faults[method] = [Fault(502), Fault(503)]
    assert post(github.client(), PULL_REQUEST, REPORT).startswith("updated")
    assert github.waits == [1, 2]


def test_errors_without_end_are_given_up_on(github: FakeGitHub) -> None:
    github.faults["GET"] = [Fault(500, "oops")] * 50
    with pytest.raises(GitHubError, match=r"an error of its own: GET .* 500, oops"):
        post(github.client(), PULL_REQUEST, REPORT)
    assert len(github.faults["GET"]) == 50 - 2 * 4


def test_a_comment_made_in_spite_of_an_error_is_not_made_twice(github: FakeGitHub) -> None:
    github.faults["POST"] = [None, Fault(502, done=True)]
    assert post(github.client(), PULL_REQUEST, REPORT).startswith("unchanged")
    assert len(github.bodies()) == 1


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (Fault(429, headers={"retry-after": "7"}), 7),
        (Fault(403, headers={"retry-after": "9"}), 9),
        (Fault(403, "You have exceeded a secondary rate limit"), 60),
    ],
)
def test_haste_is_waited_for_as_long_as_github_says(
    github: FakeGitHub, fault: Fault, seconds: float
) -> None:
    github.faults["GET"] = [fault]
    assert post(github.client(), PULL_REQUEST, REPORT).startswith("created")
    assert github.waits == [seconds]


def test_a_limit_that_ends_soon_is_waited_for(github: FakeGitHub) -> None:
    reset = str(int(time.time()) + 30)
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    github.faults["GET"] = [Fault(403, headers=headers)]
    post(github.client(), PULL_REQUEST, REPORT)
    assert 25 <= github.waits[0] <= 30


def test_a_limit_that_lasts_is_told_with_its_end(github: FakeGitHub) -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 3000)}
    github.faults["GET"] = [Fault(403, headers=headers)]
    with pytest.raises(GitHubError, match=r"again from \d{4}-\d\d-\d\d \d\d:\d\d UTC"):
        post(github.client(), PULL_REQUEST, REPORT)
    assert github.waits == []


def test_haste_without_end_is_given_up_on(github: FakeGitHub) -> None:
    github.faults["GET"] = [Fault(429)] * 50
    with pytest.raises(GitHubError, match="too often"):
        post(github.client(), PULL_REQUEST, REPORT)
    assert github.waits == [60, 60, 60]


def test_nobody_who_answers_is_told() -> None:
    waits: list[float] = []
    away = GitHub("http://127.0.0.1:9", "http://127.0.0.1:9/graphql", TOKEN, sleep=waits.append)
    with pytest.raises(GitHubError, match="does not answer"):
        post(away, PULL_REQUEST, REPORT)


def test_a_next_page_elsewhere_does_not_get_the_token(busy: FakeGitHub) -> None:
    busy.next_page = "https://elsewhere.invalid/comments"
    with pytest.raises(GitHubError, match="the token stays here"):
        post(busy.client(), PULL_REQUEST, REPORT)


def test_the_token_is_not_sent_in_clear() -> None:
    with pytest.raises(GitHubError, match="not sent in clear"):
        GitHub("http://github.invalid", "https://github.invalid/graphql", TOKEN)


def test_the_token_is_in_no_representation(github: FakeGitHub) -> None:
    assert TOKEN not in repr(github.client())


def test_a_report_of_the_head_is_posted(github: FakeGitHub) -> None:
    own = PullRequest("clinic/monitoring", 7, HEAD, "clinic/monitoring")
    assert post(github.client(), own, REPORT).startswith("created")
    assert "fork" not in github.bodies()[0]


def test_a_report_of_a_fork_says_so_below_the_marker(github: FakeGitHub) -> None:
    github.pull_request["head"]["repo"]["full_name"] = "somebody/monitoring"
    post(github.client(), OF_A_FORK, REPORT)
    assert github.bodies()[0].startswith(f"{MARKER}\n> [!NOTE]\n> This pull request comes from a")


def test_a_report_of_another_pull_request_is_refused(github: FakeGitHub) -> None:
    with pytest.raises(OpsError, match="is not from somebody/monitoring"):
        post(github.client(), OF_A_FORK, REPORT)
    assert github.comments == []


def test_a_fork_that_is_gone_is_refused(github: FakeGitHub) -> None:
    github.pull_request["head"]["repo"] = None
    with pytest.raises(OpsError, match="is not from"):
        post(github.client(), OF_A_FORK, REPORT)


def test_a_report_of_an_older_commit_is_not_posted(github: FakeGitHub) -> None:
    old = PullRequest("clinic/monitoring", 7, "5" * 40, "clinic/monitoring")
    assert "newer commit: nothing posted" in post(github.client(), old, REPORT)
    assert github.comments == []


def test_a_report_of_a_closed_pull_request_is_not_posted(github: FakeGitHub) -> None:
    github.pull_request["state"] = "closed"
    own = PullRequest("clinic/monitoring", 7, HEAD, "clinic/monitoring")
    assert "closed: nothing posted" in post(github.client(), own, REPORT)


def test_a_report_is_read_with_its_marker(tmp_path: Path) -> None:
    assert Report.read(written(tmp_path, f"{MARKER}\n\nü\n"), "prod") == Report(MARKER, "\nü\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "does not begin with"),
        ("## prod\n", "does not begin with"),
        (f"\n{MARKER}\n", "does not begin with"),
        ("<!-- vitalstream-preview: a b -->\n", "does not begin with"),
        ("<!-- vitalstream-preview: dev -->\n", "stack dev, not of prod"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * 1_000_001, "too long"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str | bytes, told: str) -> None:
    with pytest.raises(OpsError, match=told):
        Report.read(written(tmp_path, text), "prod")


def test_a_report_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link.md").symlink_to(written(tmp_path, f"{MARKER}\n"))
    with pytest.raises(OpsError, match="There is no report"):
        Report.read(tmp_path / "link.md")


def test_signs_that_turn_the_text_around_are_taken_out(tmp_path: Path) -> None:
    path = written(tmp_path, f"{MARKER}\nsafe \u202eneverse\x07\r\n")
    assert Report.read(path).text == "safe neverse\n"


def test_a_report_with_room_is_not_cut() -> None:
    assert fitted("x" * 65536) == "x" * 65536


@pytest.mark.parametrize("text", ["plain words\n" * 9000, "🚑 🚑\n" * 15000, "x" * 70000])
def test_a_report_too_long_is_cut_to_fit(text: str) -> None:
    cut = fitted(f"{MARKER}\n{text}")
    assert len(cut.encode("utf-16-le")) // 2 <= 65536
    assert cut.startswith(MARKER)
    assert cut.endswith(comment.CUT)


def test_where_it_is_cut_no_block_stays_open() -> None:
    cut = fitted(f"{MARKER}\n<details><summary>all</summary>\n\n````diff\n" + "+ line\n" * 20000)
    assert re.search(r"\+ line\n+````\n+</details>\n", cut)


def test_what_is_posted_is_cut(github: FakeGitHub) -> None:
    post(github.client(), PULL_REQUEST, Report(MARKER, "line\n" * 30000))
    assert len(github.bodies()[0]) <= 65536


@pytest.mark.parametrize("name", ["clinic", "clinic/../x", "clinic/..", "a b/c", "clinic/x?y"])
def test_what_is_no_repository_is_refused(name: str) -> None:
    with pytest.raises(OpsError, match="give it as owner/name"):
        comment.target(name, 7, None, None)


def test_a_head_needs_its_repository() -> None:
    with pytest.raises(OpsError, match="go together"):
        comment.target("clinic/monitoring", 7, HEAD, None)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["ops", "comment", *arguments])
    with pytest.raises(SystemExit) as ended:
        command.run()
    return int(ended.value.code or 0)


def test_the_command_posts_with_the_workflows_environment(
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


def test_without_a_token_the_command_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    path = written(tmp_path, f"{MARKER}\nnews\n")
    arguments = ("--file", str(path), "--repository", "clinic/monitoring", "--pull-request", "7")
    assert run(monkeypatch, *arguments) == 1
    assert capsys.readouterr().err == (
        "error: GITHUB_TOKEN is not set: it has to hold a token that may comment.\n"
    )
