"""Escaping of values, names and links in messages, for Slack and for mail."""

from __future__ import annotations

import re
import urllib.parse
from typing import Any

import pytest

from tests.unit import messages
from tests.unit.messages import MESSAGES, Written, alert_of

written = messages.written

HOSTILE = 'a <b>&"c" *d* `e` |f\n<!channel>'


def test_a_link_to_the_query_is_escaped_as_each_kind_of_message_asks(written: Written) -> None:
    link = "http://127.0.0.1:9090/graph?g0.expr=a+%3E+5&g0.tab=1"
    assert f"<{link.replace('&', '&amp;')}|Query>" in written("vitalstream.slack")
    assert f"Query: {link}\n" in written("vitalstream.mail.text")


@pytest.mark.parametrize("where", ["summary", "description", "instance"])
def test_no_value_is_read_as_slacks_markup(where: str, written: Written) -> None:
    text = written("vitalstream.slack", _hostile(where))
    assert 'a &lt;b&gt;&amp;"c" *d* `e` |f\n&lt;!channel&gt;' in text


@pytest.mark.parametrize("where", ["summary", "description", "instance"])
def test_no_value_is_read_as_html(where: str, written: Written) -> None:
    text = written("vitalstream.mail.html", _hostile(where))
    assert "a &lt;b&gt;&amp;&#34;c&#34; *d* `e` |f\n&lt;!channel&gt;" in text


@pytest.mark.parametrize("where", ["summary", "description", "instance"])
def test_a_mail_as_text_has_every_value_as_it_is(where: str, written: Written) -> None:
    assert HOSTILE in written("vitalstream.mail.text", _hostile(where))


@pytest.mark.parametrize("template", MESSAGES)
@pytest.mark.parametrize(
    ("name", "matcher"),
    [
        ("HighErrorRate", '"HighErrorRate"'),
        ('A "b" | <c> & d', '"A \\"b\\" | <c> & d"'),
        ("A+B", '"A+B"'),
        ("A\\B", '"A\\\\B"'),
        ("Büro 3%", '"Büro 3%"'),
    ],
)
def test_the_link_to_silence_it_names_whatever_name_there_is(
    name: str, matcher: str, template: str, written: Written
) -> None:
    (query,) = re.findall(r"silences/new\?filter=([^\s\"|>]+)", written(template, alertname=name))
    assert urllib.parse.unquote(query) == f'{{alertname={matcher},stack="prod"}}'


@pytest.mark.parametrize(
    ("annotation", "link"),
    [
        ("runbook_url", '<a %3Cb%3E&amp;"c" *d* `e` %7Cf|Runbook>'),
        ("dashboard_uid", "/d/a%20%3Cb%3E%26%22c%22%20%2Ad%2A%20%60e%60%20%7Cf?from="),
    ],
)
def test_no_link_ends_before_its_end(annotation: str, link: str, written: Written) -> None:
    alert = alert_of()
    alert["annotations"][annotation] = HOSTILE.partition("\n")[0]
    assert link in written("vitalstream.slack", alert)


@pytest.mark.parametrize("where", ["runbook_url", "dashboard_uid"])
def test_no_link_of_a_mail_is_more_than_a_link(where: str, written: Written) -> None:
    alert = alert_of()
    alert["annotations"][where] = 'javascript:alert_of(1)"><script>'
    text = written("vitalstream.mail.html", alert)
    assert ("<script>" in text, 'href="javascript:' in text) == (False, False)


@pytest.mark.parametrize("template", ["vitalstream.title", "vitalstream.slack"])
@pytest.mark.parametrize("label", ["alertname", "stack"])
def test_no_name_in_a_title_is_read_as_slacks_markup(
    label: str, template: str, written: Written
) -> None:
    assert "<!channel>" not in written(template, **{label: HOSTILE})


def _hostile(where: str) -> dict[str, Any]:
    alert = alert_of()
    alert["labels" if where == "instance" else "annotations"][where] = HOSTILE
    return alert
