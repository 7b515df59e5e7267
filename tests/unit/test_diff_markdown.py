"""Markdown that nobody's text breaks out of, and that fits a comment."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ops.review.diff import markdown, safe, text
from ops.review.diff.comparison import DiffError
from ops.review.diff.options import LEAST_BYTES
from ops.review.diff.report import (
    Check,
    Fault,
    Field,
    Item,
    Kind,
    Mark,
    Quote,
    Report,
    Section,
    Status,
)

FEW = settings(max_examples=80, deadline=None, derandomize=True)
# What Markdown, HTML, GitHub and a terminal make something of.
HOSTILE = st.text(
    st.one_of(
        st.sampled_from("`~*_[]()<>!#|\\\n\r\t\"'@&-:/ \u202e\u200b\x1b\x00"),
        st.characters(codec="utf-8"),
    ),
    max_size=40,
)
BREAKS = (
    "```\n</details>\n# Mine\n@everyone <img src=x onerror=y>",
    "` @team `` [a](https://evil.example) ```",
    "\n\n<!-- vitalstream-preview: prod -->",
    "| a | b |\n| --- | --- |",
    "https://evil.example www.evil.example a@b.example #1",
    "`",
    " ",
    "",
)


def report(words: str, items: int = 1) -> Report:
    """Return a report with this text in every place that can hold foreign text."""
    item = Item(
        Kind.CHANGED,
        words,
        ("alert ", Quote(words), " changed"),
        Mark.WEAKER,
        (("because of ", Quote(words)),),
        (Field(words, words, words), Field(words, None, words), Field(words, words, None)),
        diff=f"+{words}",
    )
    return Report(
        stack="prod",
        origin=words,
        verdict=("1 interruption: ", Quote(words)),
        sections=dict.fromkeys(Section, (item,) * items),
        checks=(
            Check(words, Status.FAILED, f"a {words}"),
            Check("a", Status.ADVICE, f"{words}\n{words}"),
        ),
        faults=(Fault(words, words),),
        inventory=((Quote(words),),),
        notes=((Quote(words),),),
    )


def tokens(document: str) -> list[Any]:
    """Yield the tokens of all depths, without the first line."""
    parsed = MarkdownIt("gfm-like", {"linkify": False}).parse(document.partition("\n")[2])
    return [one for token in parsed for one in (token, *(token.children or ()))]


def skeleton(document: str) -> list[tuple[str, str]]:
    """Return the document's structure without code, which may contain anything."""
    code = ("code_inline", "fence")
    return [
        (token.type, "" if token.type in code or token.type == "inline" else token.content)
        for token in tokens(document)
    ]


def check_harmless(words: str) -> None:
    document = markdown.render(report(words), 10**9)
    plain = markdown.render(report("harmless"), 10**9)
    several = {True: skeleton(document), False: skeleton(plain)}
    assert [kind for kind, _ in several[True]] == [kind for kind, _ in several[False]]
    assert several[True] == several[False]


@FEW
@given(HOSTILE)
@example(BREAKS[0])
@example(BREAKS[1])
@example(BREAKS[2])
@example(BREAKS[3])
@example(BREAKS[4])
@example(BREAKS[5])
@example(BREAKS[6])
@example(BREAKS[7])
def test_markdown_text_keeps_the_documents_structure(words: str) -> None:
    # A text of several lines makes a check's words a block, which one of a line has not.
    check_harmless(words.replace("\n", " ").replace("\r", " "))
    document = markdown.render(report(words), 10**9)
    kinds = [kind for kind, _ in skeleton(document)]
    assert {"link_open", "image", "table_open", "html_inline"}.isdisjoint(kinds)
    html = "".join(content for kind, content in skeleton(document) if kind == "html_block")
    assert html.split() == [
        *["<details><summary>All", "changes", "by", "resource:", "1", "resource</summary>"],
        "</details>",
    ]


@FEW
@given(HOSTILE)
def test_text_control_characters_are_escaped(words: str) -> None:
    assert "\x1b" not in text.render(report(words))
    assert "\u202e" not in text.render(report(words))


@pytest.mark.parametrize(
    ("words", "span"),
    [
        ("plain", "`plain`"),
        ("a`b", "``a`b``"),
        ("`a", "`` `a ``"),
        ("", "`(empty)`"),
        ("a\nb", "`a⏎b`"),
        ("\u202eabc", "`\\u202eabc`"),
        ("x" * 9, "`xxxx…`"),
    ],
)
def test_code_span_fence_is_longer_than_its_backticks(words: str, span: str) -> None:
    assert safe.code(words, 5 if len(words) > 8 else 40) == span


@settings(FEW, max_examples=25)
@given(HOSTILE, st.integers(1, 400), st.integers(LEAST_BYTES, 70_000))
def test_markdown_is_never_longer_than_its_limit(words: str, items: int, most: int) -> None:
    document = markdown.render(report(words, items), most)
    assert len(document.encode()) <= most
    assert document.count("<details>") == document.count("</details>")


def long_report() -> Report:
    return report("word " * 30, 300)


def test_cut_markdown_begins_with_marker_and_verdict() -> None:
    first, second, *_ = markdown.render(long_report(), 20_000).split("\n")
    assert first.startswith("<!-- vitalstream-preview: ")
    assert "1 interruption: " in second


def test_cut_markdown_names_what_was_left_out() -> None:
    document = markdown.render(long_report(), 20_000, "It is elsewhere.")
    assert "... and " in document
    assert "Left out: " in document
    assert "_Cut here: a comment is full. It is elsewhere._" in document


def test_cut_markdown_keeps_the_first_sections() -> None:
    document = markdown.render(long_report(), 30_000)
    assert "### Interruptions" in document
    assert "<details>" not in document


def test_cut_markdown_keeps_the_checks() -> None:
    item = Item(Kind.CHANGED, "a", ("a",), diff="b" * 50_000)
    found = Report("prod", "", ("",), {Section.DETAILS: (item,) * 3}, (Check("a", Status.PASSED),))
    document = markdown.render(found, 20_000)
    assert "`a`: passed" in document
    assert "bbb" not in document


def test_complete_markdown_has_no_cut_note() -> None:
    assert "Cut here" not in markdown.render(report("words"))


def test_markdown_of_unchanged_stack_is_marker_and_one_line() -> None:
    found = Report("prod", "", ("nothing changes",))
    assert markdown.render(found) == (
        "<!-- vitalstream-preview: prod -->\n**`prod`**: nothing changes\n"
    )


def test_markdown_of_invalid_stack_name_has_no_marker() -> None:
    with pytest.raises(DiffError):
        markdown.marker("prod --> <b>")
