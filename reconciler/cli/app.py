"""The commands: what they are called, take and say of themselves. What they do is imported when it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import (
    AcceptIdentityOption,
    ClusterOption,
    ConfigOption,
    ExpectOption,
    ForceOption,
    FunctionKeyOption,
    FunctionUrlOption,
    OneClusterOption,
    Output,
    OutputOption,
    SettleTimeoutOption,
)
from reconciler.cli.words import ABOUT, PROGRAM, epilog

if TYPE_CHECKING:
    from reconciler.cli.session import Session

# Frames and colours for a person's terminal only. A shell can complete installed programs only.
RICH = bool(sys.stdout and sys.stdout.isatty())
INSTALLED = Path(sys.argv[0]).stem == PROGRAM
app = typer.Typer(
    help=ABOUT,
    epilog=epilog(RICH),
    no_args_is_help=True,
    add_completion=INSTALLED,
    rich_markup_mode="rich" if RICH else None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _run(config: str, clusters: list[str] | None, output: Output, command: Callable[[Session], int]) -> int:
    from reconciler.cli.session import Common, run

    return run(Common(config, tuple(clusters or ()), output is Output.JSON), command)


@app.command(epilog=epilog(RICH, (0, 1, 2, 3, 130)))
def plan(config: ConfigOption = "", cluster: ClusterOption = None, output: OutputOption = Output.TEXT) -> int:
    """Show what would be written, and why.

    Each property before and after, and what was found. Writes nothing.
    """
    from reconciler.cli.plan import show_plan

    return _run(config, cluster, output, show_plan)


@app.command(epilog=epilog(RICH))
def apply(
    config: ConfigOption = "",
    cluster: ClusterOption = None,
    output: OutputOption = Output.TEXT,
    expect: ExpectOption = "",
    force: ForceOption = "",
    accept_identity: AcceptIdentityOption = "",
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return when the writes are accepted.")] = False,
    timeout: SettleTimeoutOption = 900,
) -> int:
    """Look anew, show the plan, and carry it out."""
    from reconciler.cli.apply import Wanted, apply_plans

    wanted = Wanted(expect, force, accept_identity, no_wait, timeout)
    return _run(config, cluster, output, lambda session: apply_plans(session, wanted))


@app.command(epilog=epilog(RICH, (0, 1, 130)))
def status(
    config: ConfigOption = "", cluster: ClusterOption = None, output: OutputOption = Output.TEXT
) -> int:
    """Show the state of everything.

    From the ledgers alone: as of each cluster's last run.
    """
    from reconciler.cli.status import show_status

    return _run(config, cluster, output, show_status)


@app.command(epilog=epilog(RICH, (0, 1, 130)))
def history(
    config: ConfigOption = "",
    cluster: ClusterOption = None,
    output: OutputOption = Output.TEXT,
    limit: Annotated[
        int,
        typer.Option("--limit", metavar="NUMBER", min=1, max=500, help="How many entries."),
    ] = 50,
) -> int:
    """Show what was done, the newest first.

    What was written, found and decided, from the ledger.
    """
    from reconciler.cli.history import show_history

    return _run(config, cluster, output, lambda session: show_history(session, limit))


@app.command(epilog=epilog(RICH, (0, 1, 3, 130)))
def explain(
    service: Annotated[
        str, typer.Argument(metavar="SERVICE", show_default=False, help="The Service: NAMESPACE/NAME.")
    ],
    config: ConfigOption = "",
    cluster: ClusterOption = None,
    output: OutputOption = Output.TEXT,
) -> int:
    """Tell why a Service has its PLS, or none.

    Each check in order with its value, up to the one that decides. Looks at Azure and the clusters; writes nothing.
    """
    from reconciler.cli.explain import show_explanation

    return _run(config, cluster, output, lambda session: show_explanation(session, service))


@app.command(epilog=epilog(RICH, (0, 1, 130)))
def resync(
    config: ConfigOption = "",
    cluster: ClusterOption = None,
    output: OutputOption = Output.TEXT,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait", help="Run here and now, instead of asking the function app to (one cluster only)."
        ),
    ] = False,
) -> int:
    """Ask the function app for a run.

    Through the queue in the storage account; all clusters where none is named.
    """
    from reconciler.cli.requests import resync as ask

    return _run(config, cluster, output, lambda session: ask(session, wait))


@app.command(epilog=epilog(RICH, (0, 1, 130)))
def pause(
    config: ConfigOption = "", cluster: OneClusterOption = "", output: OutputOption = Output.TEXT
) -> int:
    """Do nothing for a cluster until resume."""
    from reconciler.cli.requests import pause as ask

    return _run(config, [cluster] if cluster else None, output, ask)


@app.command(epilog=epilog(RICH, (0, 1, 130)))
def resume(
    config: ConfigOption = "", cluster: OneClusterOption = "", output: OutputOption = Output.TEXT
) -> int:
    """Go on with a cluster that was paused.

    It begins with a full run.
    """
    from reconciler.cli.requests import resume as ask

    return _run(config, [cluster] if cluster else None, output, ask)


@app.command(epilog=epilog(RICH, (0, 1, 130)))
def release(
    digest: Annotated[
        str,
        typer.Argument(metavar="DIGEST", show_default=False, help="What plan and status show as held back."),
    ],
    config: ConfigOption = "",
    cluster: OneClusterOption = "",
    output: OutputOption = Output.TEXT,
) -> int:
    """Let go what the brake holds back.

    Exactly the deletes that plan and status have shown under this digest, for an hour.
    """
    from reconciler.cli.requests import release as ask

    return _run(config, [cluster] if cluster else None, output, lambda session: ask(session, digest))


@app.command("accept-identity", epilog=epilog(RICH, (0, 1, 130)))
def accept_identity(
    uid: Annotated[
        str,
        typer.Argument(metavar="UID", show_default=False, help="The identity that status shows as offered."),
    ],
    config: ConfigOption = "",
    cluster: OneClusterOption = "",
    output: OutputOption = Output.TEXT,
) -> int:
    """Accept that another cluster answers.

    As after it was rebuilt under the same address.
    """
    from reconciler.cli.requests import accept_identity as ask

    return _run(config, [cluster] if cluster else None, output, lambda session: ask(session, uid))


@app.command(epilog=epilog(RICH, (0, 1, 130)))
def doctor(
    config: ConfigOption = "",
    cluster: ClusterOption = None,
    output: OutputOption = Output.TEXT,
    function_url: FunctionUrlOption = "",
    function_key: FunctionKeyOption = "",
    timeout: Annotated[
        int,
        typer.Option(
            "--timeout", metavar="SECONDS", min=1, max=3600, help="What has not answered by then failed."
        ),
    ] = 90,
) -> int:
    """Check that everything needed is there.

    Settings, sign-in, permissions, clusters, subnets, limits, storage, clock; for each failure what to run. It writes
    nothing: rights are asked for, not tried. They are those of whoever runs it, not the function app's.
    """
    from reconciler.cli.doctor import show_diagnoses
    from reconciler.cli.session import Common, guarded

    common = Common(config, tuple(cluster or ()), output is Output.JSON)
    return guarded(common, lambda screen: show_diagnoses(common, screen, function_url, function_key, timeout))
