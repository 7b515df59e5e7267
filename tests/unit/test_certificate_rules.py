"""The days on which a stack's certificates end, in the rules that it gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.common import certificates
from components.rules import certificate_expiry
from components.rules.rule_set import RuleSet, shipped_files
from components.settings.settings import Settings
from tests.unit.conftest import SECRETS, SERVED

RECORD = "certificate:not_after_timestamp_seconds:min"
TEXT = shipped_files()["monitoring.yml"]


@pytest.fixture
def over_tls(settings: Callable[..., Settings]) -> Settings:
    secrets = {key: SECRETS[key] for key in ("tlsKey", "webPassword")}
    return settings(**SERVED, **secrets, tls="true")


def with_days(settings: Settings, text: str = TEXT) -> str:
    rules = RuleSet.of({certificate_expiry.RULE_FILE: text})
    served = settings.served_certificates
    return certificate_expiry.apply(rules, served).files[certificate_expiry.RULE_FILE]


def rules(text: str) -> dict[str, list[dict[str, Any]]]:
    (group,) = yaml.safe_load(text)["groups"]
    found: dict[str, list[dict[str, Any]]] = {}
    for rule in group["rules"]:
        found.setdefault(rule.get("record") or rule["alert"], []).append(rule)
    return found


def test_each_certificate_has_its_day_under_the_name_of_its_setting(over_tls: Settings) -> None:
    assert rules(with_days(over_tls))[RECORD] == [
        {
            "record": RECORD,
            "expr": f"vector({int(certificates.expiry(SERVED[key]).timestamp())})",
            "labels": {"certificate": key},
        }
        for key in ("tlsCertificate", "tlsCa")
    ]


def test_nothing_else_in_the_file_changes(over_tls: Settings) -> None:
    before, after = (rules(text) for text in (TEXT, with_days(over_tls)))
    assert {name for name in before if before[name] != after[name]} == {RECORD}


def test_without_tls_the_file_is_as_it_stands(settings: Callable[..., Settings]) -> None:
    assert with_days(settings()) == TEXT


def test_a_file_without_the_place_for_them_is_refused(over_tls: Settings) -> None:
    with pytest.raises(ValueError, match=r"monitoring\.yml has 0 places"):
        with_days(over_tls, TEXT.replace("vector(0) < 0", "vector(1)"))


def test_prod_has_the_days_of_its_certificate(prod: Any) -> None:
    text = prod.config("prometheus")["files"]["rules/monitoring.yml"]
    assert all(rule["labels"]["certificate"] for rule in rules(text)[RECORD])


def test_a_chain_ends_with_the_first_of_its_certificates() -> None:
    chain = SERVED["tlsCertificate"] + SERVED["tlsCa"]
    assert certificates.expiry(chain) == min(
        certificates.expiry(SERVED[key]) for key in ("tlsCertificate", "tlsCa")
    )
