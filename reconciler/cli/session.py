"""What every command begins with: settings, the clusters that are meant, a screen; and how failures end."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reconciler import settings as settings_module
from reconciler import wiring
from reconciler.api import BadRequest
from reconciler.cli.codes import ERROR, INTERRUPTED
from reconciler.cli.screen import Screen
from reconciler.errors import OutsideError, SettingsError
from reconciler.model import ClusterConfig
from reconciler.settings import Settings

NO_CLUSTER = "There is no cluster: none is configured, and none was found by its tag"


@dataclass(frozen=True, slots=True)
class Common:
    """The options that every command has. ``config`` stands in for CLUSTERS; ``clusters`` empty: all."""

    config: str = ""
    clusters: tuple[str, ...] = ()
    json: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """One command at work: ``configs`` are the clusters that are meant, ``named`` whether any was named.

    ``problems``: why clusters that are to be found by a tag may be missing. ``out`` is what settings and clusters
    were found by, for the command to go on with.
    """

    settings: Settings
    out: wiring.Outward
    configs: tuple[ClusterConfig, ...]
    named: bool
    screen: Screen
    problems: tuple[str, ...] = ()

    @property
    def not_all(self) -> tuple[int, ...]:
        """The code of what could not be looked at: all clusters are meant, and not all are known."""
        return (ERROR,) if self.problems and not self.named else ()

    @property
    def one(self) -> ClusterConfig:
        """The cluster that is meant. Raises BadRequest where there are several."""
        if len(self.configs) != 1:
            names = ", ".join(config.name for config in self.configs[:20])
            raise mistake(f"--cluster: name the cluster that is meant; configured: {names}")
        return self.configs[0]


def mistake(sentence: str) -> BadRequest:
    """What is wrong with the words of the command line."""
    return BadRequest(400, "BadParameter", sentence)


def run(common: Common, command: Callable[[Session], int]) -> int:
    """Run a command on settings and clusters that are right, and return its exit code."""
    return guarded(common, lambda screen: command(opened(common, screen)))


def guarded(common: Common, command: Callable[[Screen], int]) -> int:
    """Run a command and return its exit code; what fails on purpose becomes a sentence."""
    screen = Screen(common.json)
    _log_to_standard_error()
    try:
        return command(screen)
    except SettingsError as error:
        screen.complain(f"The settings are wrong:\n{error}")
    except (OutsideError, BadRequest) as error:
        screen.complain(f"Error: {error}")
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # whose reader has seen enough
            screen.complain(f"Error: {error}")
        # What is left in the buffer must not fail at the end, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ERROR


def _log_to_standard_error() -> None:
    """Warnings, but for those of runs: a command tells its run's writes and findings itself."""
    # The identity library warns at length about each way to sign in that is not set up; we say it once.
    logging.getLogger("azure").setLevel(logging.ERROR)
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.addFilter(lambda record: not hasattr(record, "reason"))
    logging.basicConfig(format="%(message)s", handlers=[handler])


def opened(common: Common, screen: Screen) -> Session:
    """Settings and clusters. Raises SettingsError with every mistake."""
    loaded = settings_module.load(environment(common))
    out = wiring.outward(loaded)
    found = out.configs.configured()  # which warns of problems
    configs = chosen(common, found.clusters)
    if not configs:
        screen.complain(NO_CLUSTER)
    return Session(loaded, out, configs, bool(common.clusters), screen, found.problems)


def environment(common: Common) -> Mapping[str, str]:
    """The environment; ``--config`` stands in for CLUSTERS."""
    if not common.config:
        return os.environ
    environ = {**os.environ, "CLUSTERS": common.config}
    environ.pop("CLUSTERS_BLOB", None)
    return environ


def chosen(common: Common, configs: Mapping[str, ClusterConfig]) -> tuple[ClusterConfig, ...]:
    """The clusters that are asked for. Raises BadRequest for a name that is not configured."""
    names = tuple(dict.fromkeys(common.clusters or sorted(configs)))
    if unknown := [name for name in names if name not in configs]:
        raise mistake(
            f"--cluster: {', '.join(unknown)} is not configured; configured: {', '.join(sorted(configs))}"
        )
    return tuple(configs[name] for name in names)
