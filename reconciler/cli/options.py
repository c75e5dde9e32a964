"""The options of the commands that share them, or have many, with what is said of them."""

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

# Of apply

ExpectOption = Annotated[
    str,
    typer.Option(
        "--expect",
        metavar="DIGEST",
        show_default=False,
        help="End with 4 unless the plan has this digest (one cluster only).",
    ),
]
ForceOption = Annotated[
    str,
    typer.Option(
        "--force",
        metavar="DIGEST",
        show_default=False,
        help="Release the deletes that the brake holds back under this digest.",
    ),
]
AcceptIdentityOption = Annotated[
    str,
    typer.Option(
        "--accept-identity",
        metavar="UID",
        show_default=False,
        help="Accept that another cluster answers, with this identity.",
    ),
]
SettleTimeoutOption = Annotated[
    int,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=0,
        max=9_999_999,
        help="Wait no longer than this for all to settle.",
    ),
]

# Of doctor

FunctionUrlOption = Annotated[
    str,
    typer.Option(
        "--function-url",
        metavar="URL",
        show_default=False,
        help="The function app's address, to be looked at, too.",
    ),
]
FunctionKeyOption = Annotated[
    str,
    typer.Option(
        "--function-key",
        metavar="KEY",
        envvar="FUNCTION_KEY",
        show_default=False,
        help="A key of the function app; better given by the environment variable FUNCTION_KEY.",
    ),
]
