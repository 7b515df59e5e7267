"""The alerts' annotations in another language, from `rules/translations/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from components.common import yaml_text
from components.rules import rule_file
from components.rules.rule_file import Edit, Rule, Span
from components.rules.rule_set import RULES_DIR, RuleSet

FOLDER = RULES_DIR / "translations"
ENGLISH = "en"


def apply(rules: RuleSet, language: str) -> RuleSet:
    """Return the rules with the annotations of a language; an alert without any keeps its own.

    Before all other edits: the texts are parsed anew.
    """
    if language == ENGLISH:
        return rules
    texts = translations(language)
    return RuleSet.of(
        {
            name: rule_file.edited(
                file.text,
                (
                    edit
                    for rule in file.rules
                    for edit in _edits(rule, texts.get(rule.name("alert") or "", {}))
                ),
            )
            for name, file in rules.parsed.items()
        }
    )


def translations(language: str) -> dict[str, dict[str, str]]:
    """Return the annotations of a language, by alert."""
    found: dict[str, dict[str, str]] = yaml_text.load(
        (FOLDER / f"{language}.yml").read_text("utf-8")
    )
    return found


def _edits(rule: Rule, texts: Mapping[str, str]) -> Iterator[Edit]:
    for key, text in texts.items():
        if span := rule.span("annotations", key):
            # A block's end is where the next key begins.
            end = span.start + len(rule.text[span.start : span.end].rstrip())
            # Single quotes, as in rules/: what is later put into a query may have double ones.
            yield Edit(Span(span.start, end), "'{}'".format(text.replace("'", "''")))
