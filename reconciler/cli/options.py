"""The options that commands share, with what is said of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from reconciler.cli import completing


class Output(StrEnum):
    """What a command prints."""

    TEXT = "text"
    JSON = "json"


def _clusters(ctx: typer.Context) -> list[str]:
    return completing.clusters(str(ctx.params.get("config") or ""))


ConfigOption = Annotated[
    str,
    typer.Option(
        "--config",
        metavar="FILE",
        show_default=False,
        help="The clusters, JSON or YAML; stands in for CLUSTERS and CLUSTERS_BLOB.",
    ),
]
ClusterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--cluster",
        metavar="NAME",
        show_default=False,
        autocompletion=_clusters,
        help="Only this cluster; may be given several times.",
    ),
]
OneClusterOption = Annotated[
    str,
    typer.Option(
        "--cluster",
        metavar="NAME",
        show_default=False,
        autocompletion=_clusters,
        help="The cluster; may be left out where only one is configured.",
    ),
]
OutputOption = Annotated[
    Output, typer.Option("--output", help="With json, what is said on the way goes to standard error.")
]
