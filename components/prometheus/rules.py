"""Rule files that a stack's Prometheus loads."""

from __future__ import annotations

from components.prometheus import backend_groups
from components.rules import (
    certificate_expiry,
    federation_labels,
    overrides,
    scrape_jobs,
    selection,
    slo,
    translation,
)
from components.rules.overrides import AlertOverride
from components.rules.rule_set import RuleSet
from components.settings.settings import Settings
from components.user_files import rules as user_rules


def stack_rules(settings: Settings) -> RuleSet:
    """Return the files of `rules/` with the stack's own values, and the user's files.

    A stack that sets none of them gets `rules/` byte for byte, except for files of services that it
    lacks, and for the alert on missing backups where no data is protected.
    """
    unasked = {} if settings.protect_data else {"BackupMissing": AlertOverride(enabled=False)}
    rules = translation.apply(RuleSet.shipped(), settings.language)
    rules = overrides.apply(rules, {**unasked, **settings.alerts})
    rules = slo.apply(rules, settings.slo_objective)
    rules = certificate_expiry.apply(rules, settings.served_certificates)
    rules = backend_groups.without_requests(rules, settings.backend)
    rules = rules.only(
        selection.select(
            rules.files,
            settings.watch,
            thanos=settings.thanos.on,
            remote_write=bool(settings.remote_write),
            scrape_jobs=bool(settings.scrape_jobs),
        )
    )
    if settings.federation:
        rules = federation_labels.apply(rules)
    own = user_rules.load(settings.extra_rules, settings.extra_rules_defaults)
    return scrape_jobs.apply(rules, [job["job_name"] for job in settings.scrape_jobs], own) | own
