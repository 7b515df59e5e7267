"""Option `--stack` of the commands."""

from __future__ import annotations

from typing import Annotated

import typer

Stack = Annotated[str, typer.Option(help="The stack, as in Pulumi.STACK.yaml.")]
