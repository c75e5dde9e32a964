"""``doctor``: is everything there that is needed, and if not, what to run."""

from __future__ import annotations

from reconciler import settings as settings_module
from reconciler import wiring, wiring_doctor
from reconciler.api import BadRequest
from reconciler.cli import codes
from reconciler.cli.screen import Screen
from reconciler.cli.session import NO_CLUSTER, Common, chosen, environment
from reconciler.doctor import Diagnosis, diagnoses_lines, report
from reconciler.doctor_looks import looks
from reconciler.doctor_rounds import examine
from reconciler.errors import OutsideError, SettingsError
from reconciler.rendering import VERSION

_LISTS = (
    "az aks list --subscription SUBSCRIPTION -o table: the identity needs to read the managed clusters there"
)
_NO_CLUSTER = Diagnosis(
    "settings",
    "clusters",
    "warning",
    NO_CLUSTER,
    "az aks list --query '[].{id: id, tags: tags}'; look at CLUSTERS",
)


def show_diagnoses(common: Common, screen: Screen, url: str, key: str, seconds: int) -> int:
    """Print all diagnoses; 1 where one failed. Settings that are wrong are diagnoses, too."""
    found = _diagnoses(common, screen, url, key, seconds)
    if screen.json:
        screen.document({"version": VERSION, "healthy": _healthy(found), "diagnoses": report(found)})
    else:
        screen.show(diagnoses_lines(found))
    return codes.DONE if _healthy(found) else codes.ERROR


def _healthy(found: list[Diagnosis]) -> bool:
    return not any(each.state == "failed" for each in found)


def _diagnoses(common: Common, screen: Screen, url: str, key: str, seconds: int) -> list[Diagnosis]:
    try:
        settings = settings_module.load(environment(common))
    except SettingsError as error:
        mended = "correct the setting; docs/reference/settings.md tells what each takes"
        return [Diagnosis("settings", "", "failed", line, mended) for line in str(error).splitlines()]
    try:
        out = wiring.outward(settings)
        configured = out.configs.configured()
        configs = chosen(common, configured.clusters)
    except (OutsideError, SettingsError) as error:
        return [Diagnosis("settings", "clusters", "failed", str(error), "look at CLUSTERS or CLUSTERS_BLOB")]
    except BadRequest as error:
        return [Diagnosis("settings", "--cluster", "failed", str(error), "plsctl status")]
    listed = f"read; {len(configs)} clusters: {', '.join(c.name for c in configs)}"
    read = [Diagnosis("settings", "", "ok", listed) if configs else _NO_CLUSTER]
    read += [Diagnosis("settings", "discover", "failed", each, _LISTS) for each in configured.problems]
    todo = looks(wiring_doctor.patient(settings, out, configs, url, key))
    with screen.progress("looking", len(todo)) as steps:
        return [*read, *examine(todo, seconds, steps.done)]
