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
from ops.offline.program import ROOT, ProgramError, StackConfig
from ops.review.diff import base
from ops.review.diff.recorder import Recorder
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


def test_secrets_are_found_by_the_types_alone() -> None:
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
def test_a_part_is_known_to_have_secrets_or_none(path: tuple[str, ...], has: bool) -> None:
    assert secrets.contains_secret(secrets.type_at(Outer, path)) is has


@pytest.mark.parametrize("path", [("many", "x"), ("plain", "0", "y"), ("nothing",)])
def test_what_the_types_do_not_have_is_not_known(path: tuple[str, ...]) -> None:
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


def test_a_stack_file_with_a_secret_in_a_list_is_read_without_an_engine(
    project: Callable[[Any], Path],
) -> None:
    config = StackConfig.of_stack("mine", project([_receiver()]))
    assert "vitalstream:remoteWrite" in config.secret_keys
    (receiver,) = config.settings("mine").remote_write
    assert receiver.password.get_secret_value() == "placeholder-remoteWrite[0].password"


def test_it_renders(project: Callable[[Any], Path]) -> None:
    config = StackConfig.of_stack("mine", project([_receiver(), _receiver(name="archive")]))
    files = render.render("mine", config)
    assert files["prometheus.yml"].count("password_file: /etc/prometheus/remote-write/") == 2
    assert [path for path, text in files.items() if "cipher" in text] == []


def test_an_address_that_is_encrypted_is_stood_for_by_one(
    project: Callable[[Any], Path],
) -> None:
    config = StackConfig.of_stack("mine", project([_receiver(url=ONE)]))
    assert config.settings("mine").remote_write[0].url == placeholders.secret("remoteWrite[0].url")


def test_a_list_that_is_encrypted_as_a_whole_is_refused_with_the_way_to_mend_it(
    project: Callable[[Any], Path],
) -> None:
    with pytest.raises(ProgramError, match=r"remoteWrite in .* is encrypted as a whole"):
        StackConfig.of_stack("mine", project(ONE))


def test_a_secret_in_clear_text_in_a_stack_file_is_refused(
    project: Callable[[Any], Path],
) -> None:
    config = StackConfig.of_stack("mine", project([_receiver("in-the-clear")]))
    with pytest.raises(ProgramError, match="is a secret: set it with --secret") as refusal:
        program.run("mine", config)
    assert "in-the-clear" not in str(refusal.value)


def test_a_text_without_secrets_has_none_of_a_list_either() -> None:
    receivers = [_receiver("the-password-itself")]
    config = StackConfig.of_values({"remoteWrite": receivers}, {"remoteWrite"})
    text = config.without_secrets("login: the-password-itself")
    assert text == "login: placeholder-remoteWrite[0].password"


def test_secrets_are_named_as_pulumi_names_them() -> None:
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
