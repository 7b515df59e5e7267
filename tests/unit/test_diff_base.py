"""Two commits compared, each rendered by its own code."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops import errors
from ops import root as root_
from ops.certs import ca
from ops.offline import placeholders, program
from ops.review.diff import command
from ops.review.diff.command import Exit, Options
from ops.review.diff.comparison import DiffError
from ops.review.diff.options import Format
from ops.root import ROOT

PROJECT = {
    "name": "vitalstream",
    "runtime": "python",
    "config": {
        "networkName": {"type": "string", "default": "here"},
        "redisPassword": {"type": "string", "default": ""},
    },
}
MAIN = """
import pulumi

config = pulumi.Config()
pulumi.CustomResource("docker:index/network:Network", "net", {"name": config.get("networkName")})
secret = config.get_secret("redisPassword")
pulumi.CustomResource("a:b:Reader", "reader", {"password": secret})
"""


class Repository:
    """A small program under version control, run by this version's `ops.offline.program`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "ops" / "offline").mkdir(parents=True)
        (root / "ops" / "certs").mkdir()
        for package in ("", "offline", "certs"):
            (root / "ops" / package / "__init__.py").touch()
        for module in (errors, program, placeholders, ca, root_):
            name = str(module.__name__).replace(".", "/")
            shutil.copy(str(module.__file__), root / f"{name}.py")
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "components", root / "components", ignore=ignored)
        self.git("init", "--quiet")
        self.write("Pulumi.yaml", yaml.safe_dump(PROJECT))
        self.write("__main__.py", MAIN)
        self.write(".gitignore", "__pycache__\n")
        self.configure()
        self.commit()

    def git(self, *arguments: str) -> None:
        names = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
        subprocess.run(["git", *names, *arguments], cwd=self.root, check=True, capture_output=True)

    def write(self, path: str, text: str) -> None:
        (self.root / path).write_text(text)

    def configure(self, stack: str = "prod", **values: Any) -> None:
        config = {f"vitalstream:{key}": value for key, value in values.items()}
        self.write(f"Pulumi.{stack}.yaml", yaml.safe_dump({"config": config}))

    def commit(self) -> None:
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a commit")

    def diff(self, base: str = "HEAD~1", **options: Any) -> command.Outcome:
        return command.run(Options(base=base, root=self.root, **options))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_compare_equal_stacks_reports_nothing(repository: Repository) -> None:
    repository.write("README.md", "words")
    repository.commit()
    outcome = repository.diff()
    assert (outcome.printed, outcome.status) == ("prod: nothing changes\n", Exit.NOTHING)


def test_compare_renders_the_base_with_its_own_code(repository: Repository) -> None:
    repository.write("__main__.py", MAIN.replace("networkName", "bridgeName"))
    config = {"bridgeName": {"type": "string", "default": "there"}}
    repository.write("Pulumi.yaml", yaml.safe_dump({**PROJECT, "config": config}))
    repository.commit()
    outcome = repository.diff()
    assert outcome.status == Exit.CHANGES
    assert "name: here -> there" in outcome.printed


def test_compare_includes_stacks_of_both_versions(repository: Repository) -> None:
    repository.configure("dev", networkName="elsewhere")
    repository.commit()
    printed = repository.diff().printed
    assert "dev: " in printed
    assert "has no such stack: all of it is new." in printed
    assert "prod: nothing changes" in printed
    assert repository.diff(stacks=("prod",)).printed == "prod: nothing changes\n"


def test_compare_unknown_stack_lists_the_known_ones(repository: Repository) -> None:
    with pytest.raises(DiffError, match="There is no stack staging; there are: prod"):
        repository.diff("HEAD", stacks=("staging",))


@pytest.mark.parametrize("ref", ["nowhere", "--output=/tmp/x", "HEAD~9"])
def test_compare_unknown_commit_is_reported(repository: Repository, ref: str) -> None:
    with pytest.raises(DiffError, match=r"There is no commit .* here. `git fetch` it first"):
        repository.diff(ref)


def test_compare_outside_git_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DiffError, match="is not in a Git repository"):
        command.run(Options(base="HEAD", root=tmp_path))


@pytest.mark.parametrize("path", ["__main__.py", "new.py"])
def test_compare_clean_with_changes_names_them(repository: Repository, path: str) -> None:
    repository.write(path, "# A change.\n")
    with pytest.raises(DiffError, match=rf"differs from its last commit: {path}\. .*--clean"):
        repository.diff("HEAD", clean=True)


def test_compare_with_changes_reports_the_work_tree_as_it_is(repository: Repository) -> None:
    repository.configure(networkName="there")
    outcome = repository.diff("HEAD")
    assert "name: here -> there" in outcome.printed
    assert "to the work tree with uncommitted changes" in outcome.printed


def test_compare_broken_base_is_named_and_the_other_listed(
    repository: Repository,
) -> None:
    repository.write("__main__.py", "raise ValueError('broken on purpose')\n")
    repository.commit()
    repository.write("__main__.py", MAIN)
    repository.commit()
    outcome = repository.diff()
    assert outcome.status == Exit.ERROR
    assert ") does not render" in outcome.printed
    assert "broken on purpose" in outcome.printed
    assert "The version after renders:" in outcome.printed


def test_compare_broken_work_tree_is_named(repository: Repository) -> None:
    repository.write("__main__.py", "import nothing_of_this_name\n")
    repository.commit()
    outcome = repository.diff()
    assert outcome.status == Exit.ERROR
    assert "the work tree does not render" in outcome.printed
    assert "No module named 'nothing_of_this_name'" in outcome.printed
    assert "The version before renders:" in outcome.printed


def test_recorder_program_that_exits_is_reported(repository: Repository) -> None:
    repository.write("__main__.py", "import os\nos._exit(7)\n")
    repository.commit()
    outcome = repository.diff()
    assert outcome.status == Exit.ERROR
    assert "It ended with status 7." in outcome.printed


def test_recorder_ignores_what_the_program_prints(repository: Repository) -> None:
    repository.write("__main__.py", f"print('hello')\n{MAIN}")
    repository.commit()
    assert repository.diff().status == Exit.NOTHING


def test_recorder_program_gets_no_credentials(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN", "of somebody")
    monkeypatch.setenv("PULUMI_CONFIG", '{"vitalstream:networkName": "injected"}')
    repository.write("__main__.py", f"import os\nassert 'A_TOKEN' not in os.environ\n{MAIN}")
    repository.commit()
    assert repository.diff().status == Exit.NOTHING


ONE, OTHER = ({"secure": f"v1:{text}:{text}"} for text in ("aaaacipher", "bbbbcipher"))


def test_compare_secret_encrypted_again_lists_its_readers(
    repository: Repository,
) -> None:
    repository.configure(redisPassword=ONE)
    repository.commit()
    repository.configure(redisPassword=OTHER)
    repository.commit()
    printed = repository.diff().printed
    assert "secret redisPassword changed, or encrypted again" in printed
    assert "password: [secret] -> [secret]" in printed
    assert "cipher" not in printed


def test_compare_secret_unchanged_reports_nothing(repository: Repository) -> None:
    repository.configure(redisPassword=ONE)
    repository.commit()
    repository.commit()
    assert repository.diff().status == Exit.NOTHING


def test_compare_clear_text_secret_is_masked(repository: Repository) -> None:
    repository.configure(redisPassword="in-the-clear-1", redisPasword="in-the-clear-2")
    repository.commit()
    outcome = repository.diff(format=Format.JSON)
    assert outcome.status == Exit.CHANGES
    assert "in-the-clear" not in outcome.printed
    assert "secret redisPassword now set in the stack's file" in outcome.printed
