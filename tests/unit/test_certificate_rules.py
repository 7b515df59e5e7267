"""Expiry dates of a stack's certificates in its rules."""

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


def test_expiry_rule_exists_for_each_certificate_setting(over_tls: Settings) -> None:
    assert rules(with_days(over_tls))[RECORD] == [
        {
            "record": RECORD,
            "expr": f"vector({int(certificates.expiry(SERVED[key]).timestamp())})",
            "labels": {"certificate": key},
        }
        for key in ("tlsCertificate", "tlsCa")
    ]


def test_expiry_rules_change_no_other_line(over_tls: Settings) -> None:
    before, after = (rules(text) for text in (TEXT, with_days(over_tls)))
    assert {name for name in before if before[name] != after[name]} == {RECORD}


def test_rule_file_without_tls_is_unchanged(settings: Callable[..., Settings]) -> None:
    assert with_days(settings()) == TEXT


def test_rule_file_without_expiry_placeholder_is_refused(over_tls: Settings) -> None:
    with pytest.raises(ValueError, match=r"monitoring\.yml has 0 places"):
        with_days(over_tls, TEXT.replace("vector(0) < 0", "vector(1)"))


def test_prod_rules_have_the_expiry_of_its_certificates(prod: Any) -> None:
    text = prod.config("prometheus")["files"]["rules/monitoring.yml"]
    assert all(rule["labels"]["certificate"] for rule in rules(text)[RECORD])


def test_certificate_chain_expires_with_its_earliest() -> None:
    chain = SERVED["tlsCertificate"] + SERVED["tlsCa"]
    assert certificates.expiry(chain) == min(
        certificates.expiry(SERVED[key]) for key in ("tlsCertificate", "tlsCa")
    )
