"""Secrets inside a list: in the stack's file, in what stands for them, and in a difference."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import BaseModel, SecretStr

from components.settings import loader, secrets
from ops.offline import placeholders, program, render
from ops.offline.program import ProgramError, StackConfig
from ops.review.diff import base
from ops.review.diff.recorder import Recorder
from ops.root import ROOT
from tests.unit import diff_stacks

URL = "https://mimir.example.com/api/v1/push"
ONE, OTHER = ({"secure": f"v1:{text}:{text}"} for text in ("aaaacipher", "bbbbcipher"))


class Inner(BaseModel):
    key: SecretStr | None = None
    note: str = ""


class Outer(BaseModel):
    many: tuple[Annotated[Inner, "why"], ...] = ()
    by_name: dict[str, Inner] = {}
    plain: list[str] = []


VALUE = {
    "many": [{"key": "a"}, {"key": ""}, {"note": "b"}, "no object"],
    "by_name": {"x": {"key": 7}},
    "plain": ["c"],
    "unknown": {"key": "d"},
}


def test_find_secrets_uses_only_the_types() -> None:
    assert dict(secrets.find_secrets(Outer, VALUE)) == {
        ("many", "0", "key"): "a",
        ("by_name", "x", "key"): "7",
    }


@pytest.mark.parametrize(
    ("path", "has"),
    [
        ((), True),
        (("many",), True),
        (("many", "3"), True),
        (("many", "0", "key"), True),
        (("many", "0", "note"), False),
        (("plain", "0"), False),
    ],
)
def test_contains_secret_of_a_part_is_known(path: tuple[str, ...], has: bool) -> None:
    assert secrets.contains_secret(secrets.type_at(Outer, path)) is has


@pytest.mark.parametrize("path", [("many", "x"), ("plain", "0", "y"), ("nothing",)])
def test_type_at_unknown_path_is_none(path: tuple[str, ...]) -> None:
    assert secrets.type_at(Outer, path) is None


def _receiver(password: Any = ONE, **changes: Any) -> dict[str, Any]:
    return {"name": "mimir", "url": URL, "username": "a", "password": password, **changes}


@pytest.fixture
def project(tmp_path: Path) -> Callable[[Any], Path]:
    """A folder with a stack file that has this `remoteWrite`."""
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())

    def write(receivers: Any) -> Path:
        config = {"config": {"vitalstream:remoteWrite": receivers}}
        (tmp_path / "Pulumi.mine.yaml").write_text(yaml.safe_dump(config))
        return tmp_path

    return write


def test_stack_file_with_list_secret_loads_without_engine(
    project: Callable[[Any], Path],
) -> None:
    config = StackConfig.of_stack("mine", project([_receiver()]))
    assert "vitalstream:remoteWrite" in config.secret_keys
    (receiver,) = config.settings("mine").remote_write
    assert receiver["basic_auth"]["password"] == "placeholder-remoteWrite[0].password"


def test_stack_file_with_list_secret_renders(project: Callable[[Any], Path]) -> None:
    config = StackConfig.of_stack("mine", project([_receiver(), _receiver(name="archive")]))
    files = render.render("mine", config)
    assert files["prometheus.yml"].count("password_file: /etc/prometheus/remote-write/") == 2
    assert [path for path, text in files.items() if "cipher" in text] == []


def test_placeholder_for_encrypted_address_is_an_address(
    project: Callable[[Any], Path],
) -> None:
    config = StackConfig.of_stack("mine", project([_receiver(url=ONE)]))
    (receiver,) = config.settings("mine").remote_write
    assert receiver["url"] == placeholders.secret("remoteWrite[0].url")


def test_list_encrypted_as_a_whole_is_refused_with_fix(
    project: Callable[[Any], Path],
) -> None:
    with pytest.raises(ProgramError, match=r"remoteWrite in .* is encrypted as a whole"):
        StackConfig.of_stack("mine", project(ONE))


def test_stack_file_with_clear_text_secret_is_refused(
    project: Callable[[Any], Path],
) -> None:
    config = StackConfig.of_stack("mine", project([_receiver("in-the-clear")]))
    with pytest.raises(ProgramError, match="is a secret: set it with --secret") as refusal:
        program.run("mine", config)
    assert "in-the-clear" not in str(refusal.value)


def test_masked_text_omits_list_secrets() -> None:
    receivers = [_receiver("the-password-itself")]
    config = StackConfig.of_values({"remoteWrite": receivers}, {"remoteWrite"})
    text = config.without_secrets("login: the-password-itself")
    assert text == "login: placeholder-remoteWrite[0].password"


def test_secret_paths_have_pulumis_form() -> None:
    values = {"remoteWrite": json.dumps([_receiver("x")]), "redisPassword": "y", "demo": "true"}
    found = loader.secret_values(values)
    assert found == {"remoteWrite[0].password": "x", "redisPassword": "y"}


def _recorded(folder: Path) -> Mapping[str, Any]:
    return Recorder(folder, "mine", b"of these tests").record()


@pytest.fixture
def diff(project: Callable[[Any], Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that prints the report of one `remoteWrite` becoming another."""
    of_stack: Any = program.StackConfig.of_stack
    monkeypatch.setattr(of_stack.__func__, "__defaults__", (project([]),))

    def printed(before: Any, after: Any) -> str:
        old, new = (base.snapshot(_recorded(project(found))) for found in (before, after))
        return diff_stacks.printed(diff_stacks.report(old, new, "mine"))

    return printed


def test_diff_list_secret_changed_is_reported_and_masked(diff: Callable[..., str]) -> None:
    printed = diff([_receiver(ONE)], [_receiver(OTHER)])
    assert "secret remoteWrite[0].password changed, or encrypted again" in printed
    assert "remote-write/mimir/password" in printed
    assert "cipher" not in printed


def test_diff_list_secret_unchanged_reports_nothing(diff: Callable[..., str]) -> None:
    printed = diff([_receiver(ONE)], [_receiver(ONE)])
    assert "remote" not in printed


def test_diff_receiver_added_is_reported_without_its_secret(diff: Callable[..., str]) -> None:
    printed = diff([], [_receiver(ONE)])
    assert "remoteWrite" in printed
    assert URL in printed
    assert "cipher" not in printed


def test_recorder_secret_in_clear_text_is_masked(diff: Callable[..., str]) -> None:
    folder_settings = Recorder(ROOT, "dev", b"of these tests")
    hidden = folder_settings._readable("remoteWrite", [_receiver("in-the-clear")])
    assert "in-the-clear" not in json.dumps(hidden)
    assert URL in json.dumps(hidden)
