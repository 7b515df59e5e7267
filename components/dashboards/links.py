"""Ways from one dashboard to another that keep the time range and the variables."""

from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.models import dashboard

UID_PREFIX: Final = "vitalstream-"

# Grafana fills these in; the second holds every variable of the dashboard the link is on.
_KEPT: Final = "${__url_time_range}&${__all_variables}"


@dataclass(frozen=True)
class Link:
    """A link to the dashboard with the file stem `stem`.

    `selection` is added to the URL of a click on data, for instance
    `var-endpoint=${__field.labels.endpoint}`: the point clicked on chooses the variable's value.
    """

    stem: str
    title: str
    selection: str = ""

    @property
    def _url(self) -> str:
        return f"/d/{UID_PREFIX}{self.stem}?{_KEPT}"

    def in_text(self) -> str:
        """The link in Markdown, for the panel's description."""
        return f"[{self.title}](<{self._url}>)"

    def on_data(self) -> dashboard.DashboardLink:
        """The link at a click on a value."""
        url = f"{self._url}&{self.selection}" if self.selection else self._url
        return dashboard.DashboardLink(title=self.title, url=url)
