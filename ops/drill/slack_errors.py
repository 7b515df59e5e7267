"""Fixes of the errors that Slack answers, by Slack's own names for them.

https://api.slack.com/methods/chat.postMessage#errors
"""

from __future__ import annotations

import re

_INVITE = "/invite @your-app in that channel"
_TOKEN = "the app's Bot User OAuth Token: pulumi config set --secret slackToken, pulumi up"
_WEBHOOK = "a new webhook: pulumi config set --secret slackWebhookUrl, pulumi up"
_ARCHIVED = "another channel in slackChannels, or take this one out of the archive"
FIXES = {
    "not_in_channel": _INVITE,
    "channel_not_found": f"the name in slackChannels; in a private channel {_INVITE}",
    "is_archived": _ARCHIVED,
    "channel_is_archived": _ARCHIVED,
    "restricted_action": "let the app post there: the channel's posting permissions",
    "missing_scope": "add chat:write to the app's Bot Token Scopes and install it again",
    "invalid_auth": _TOKEN,
    "not_authed": _TOKEN,
    "account_inactive": _TOKEN,
    "token_revoked": _TOKEN,
    "token_expired": _TOKEN,
    "no_service": _WEBHOOK,
    "no_active_hooks": _WEBHOOK,
    "invalid_token": _WEBHOOK,
}


def with_fix(reason: str) -> str:
    """Return a reason of Alertmanager's log with the fix of Slack's error in it, if it has one."""
    fixes = (FIXES[word] for word in re.findall(r"[a-z_]+", reason) if word in FIXES)
    fix = next(fixes, "")
    return f"{reason}. fix: {fix}" if fix else reason
