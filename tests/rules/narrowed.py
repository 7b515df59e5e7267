"""Tests of rules with the rules that they read, and no others.

promtool evaluates every rule of a file at each step of each test, though a test looks at one alert:
without the others all tests take a tenth of the time. What an alert reads stays: what is recorded
for it, and the alerts whose `ALERTS` it asks for.
"""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests import yaml_text

_RECORD_NAME = re.compile(r"[a-z][a-z0-9_]*:[a-z0-9_]+:[a-z0-9_]+")
_ALERTS = re.compile(r'\bALERTS(?:_FOR_STATE)?\b(?:\{[^}]*alertname="(?P<name>\w+)")?')


@dataclass(frozen=True)
class RuleTests:
    """A test file, the rule files that it names, and which of its rules each test reads."""

    content: dict[str, Any]
    rules: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, path: Path, rules: Mapping[str, str]) -> RuleTests:
        """Read a test file; `rules` are the texts of the rule files by name."""
        content: dict[str, Any] = yaml_text.load(path.read_text())
        names = [Path(name).name for name in content["rule_files"]]
        return cls(content, {name: yaml_text.load(rules[name]) for name in names})

    def parts(self) -> Iterator[tuple[dict[str, Any], dict[str, dict[str, Any]]]]:
        """Yield the tests that read the same rules, with the rule files of those."""
        together: dict[frozenset[str], list[Any]] = defaultdict(list)
        for test in self.content["tests"]:
            together[self._read(test)].append(test)
        for names, tests in together.items():
            files = {
                file: {"groups": groups}
                for file, content in self.rules.items()
                if (groups := list(_groups(content, names)))
            }
            kept = {group["name"] for file in files.values() for group in file["groups"]}
            order = [name for name in self.content.get("group_eval_order", []) if name in kept]
            content = {**self.content, "tests": tests, "rule_files": list(files)}
            yield {**content, **({"group_eval_order": order} if order else {})}, files

    def _read(self, test: dict[str, Any]) -> frozenset[str]:
        """Return the names of the rules that a test reads, directly or by other rules."""
        texts = [one["expr"] for one in test.get("promql_expr_test", [])]
        asked = {look["alertname"] for look in test.get("alert_rule_test", [])}
        asked |= self._named(texts)
        found: set[str] = set()
        while asked:
            found |= asked
            asked = self._named(text for name in asked for text in self._texts[name]) - found
        return frozenset(found)

    @cached_property
    def _texts(self) -> dict[str, list[str]]:
        texts: dict[str, list[str]] = defaultdict(list)
        for content in self.rules.values():
            for group in content["groups"]:
                for rule in group["rules"]:
                    texts[_name(rule)] += [rule["expr"], *rule.get("annotations", {}).values()]
        return texts

    def _named(self, texts: Iterable[str]) -> set[str]:
        found: set[str] = set()
        known = self._texts
        for text in texts:
            found |= set(_RECORD_NAME.findall(text)) & known.keys()
            for match in _ALERTS.finditer(text):
                # Any alert, where none is named.
                found |= {match["name"]} if match["name"] else set(known)
        return found & known.keys()


def judged(promtool: str, tests: RuleTests, folder: Path) -> str:
    """Return what promtool says against the tests; nothing if they pass."""
    written = []
    for number, (content, files) in enumerate(tests.parts()):
        part = folder / str(number)
        part.mkdir(parents=True)
        for name, rules in {**files, "test.yml": content}.items():
            (part / name).write_text(yaml_text.dump(rules))
        written.append(part / "test.yml")
    done = subprocess.run(
        [promtool, "test", "rules", *written],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _groups(content: dict[str, Any], names: frozenset[str]) -> Iterator[dict[str, Any]]:
    for group in content["groups"]:
        if rules := [rule for rule in group["rules"] if _name(rule) in names]:
            yield {**group, "rules": rules}


def _name(rule: dict[str, Any]) -> str:
    return str(rule.get("alert") or rule["record"])
