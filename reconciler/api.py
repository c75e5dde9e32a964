"""What can be asked over HTTP: each method takes parameters as text and answers a status and a JSON body.

Errors are ``{"error": {"code", "message"}}``. Everything here is untrusted input until it is checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from reconciler import wakeups
from reconciler.errors import Denied, NotFound, OutsideError, RetryLater, SettingsError
from reconciler.model import ClusterConfig
from reconciler.ports import ClusterState, WakeUp
from reconciler.reconcile import Run, dry_runs
from reconciler.recording import decide, report_of
from reconciler.rendering import VERSION, plan_json
from reconciler.status import entry_json, status
from reconciler.worker import Worker

RELEASE_FOR = timedelta(hours=1)
MAX_HISTORY = 500
MAX_BODY = 64 * 1024
Params = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP status and a JSON body."""

    status: int
    body: dict[str, Any]


class BadRequest(Exception):
    """A request that is refused: HTTP status, code, and a message that says what to do."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def failure(status: int, code: str, message: str) -> Reply:
    """An error as JSON."""
    return Reply(status, {"error": {"code": code, "message": message}})


def parameters(query: Mapping[str, str], body: bytes) -> Params:
    """The parameters of a request: of the query, and of a JSON object in the body. Raises BadRequest."""
    if not body.strip():
        return query
    if len(body) > MAX_BODY:
        raise BadRequest(400, "BadBody", f"the body has {len(body)} bytes, more than {MAX_BODY}")
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest(400, "BadBody", "the body must be a JSON object, or empty") from None
    if not isinstance(given, dict) or not all(isinstance(v, str | int | bool) for v in given.values()):
        raise BadRequest(400, "BadBody", "the body must be a JSON object of texts, numbers, true and false")
    return {**{str(k): v if isinstance(v, str) else json.dumps(v) for k, v in given.items()}, **query}


def answer(call: Callable[[], Reply]) -> Reply:
    """What a call answers, its failures as JSON errors."""
    try:
        return call()
    except BadRequest as error:
        return failure(error.status, error.code, str(error))
    except SettingsError as error:
        return failure(500, "WrongSettings", str(error))
    except Denied as error:
        return failure(502, "Denied", str(error))
    except NotFound as error:
        return failure(502, "NotFound", str(error))
    except RetryLater as error:
        return failure(503, "RetryLater", str(error))
    except OutsideError as error:
        return failure(502, "OutsideFailed", str(error))


@dataclass(frozen=True, slots=True)
class Api:
    """The HTTP functions, without HTTP. ``problems`` tells what is amiss with the configuration as a whole;
    ``renew`` is told that a person may have mended it."""

    worker: Worker
    problems: Callable[[], Sequence[str]] = tuple
    renew: Callable[[], None] = lambda: None

    def resync(self, params: Params) -> Reply:
        """``cluster`` (all where absent), ``dryRun``, ``wait``: queue it, plan it, or do it now."""
        _only(params, "cluster", "dryRun", "wait")
        self.renew()
        dry, wait = _flag(params, "dryRun"), _flag(params, "wait")
        if dry:
            return self.plan({"cluster": params.get("cluster", "")})
        if wait:
            return self._run_now(self._one(params))
        configs = self._some(params)
        ledger, known = self.worker.ledger, {c.name for c in configs}
        # All state rows at once are large; one cluster needs one.
        states = ledger.states() if len(known) > 1 else map(ledger.state, known)
        paused = {s.cluster for s in states if s.paused} & known
        if len(configs) == 1 and paused:
            raise _paused(configs[0].name)
        names = [c.name for c in configs if c.name not in paused]
        now = self.worker.engine.clock.now()
        self.worker.send_all((WakeUp(name, wakeups.PERSON) for name in names), now)
        return Reply(202, {"queued": names, "paused": sorted(paused)})

    def plan(self, params: Params) -> Reply:
        """``cluster`` (all where absent): what would be written now, and what was found. Writes nothing."""
        _only(params, "cluster")
        runs = dry_runs(self.worker.engine, self._some(params))
        plans = [plan_json(run.plan, run.config.mode) for run in runs]
        return Reply(200, {"version": VERSION, "plans": plans})

    def _run_now(self, config: ClusterConfig) -> Reply:
        if self.worker.ledger.state(config.name).paused:
            raise _paused(config.name)
        now = self.worker.engine.clock.now()
        done = self.worker.handle(WakeUp(config.name, wakeups.PERSON), now)
        if done.run is None:
            return Reply(202, {"queued": [], "message": done.sentence})
        return Reply(200, {"message": done.sentence, "run": self._report(done.run, done.run_id)})

    def _report(self, run: Run, run_id: str) -> dict[str, Any]:
        return report_of(run, run_id, wakeups.PERSON, self.worker.engine.clock.now())

    def release(self, params: Params) -> Reply:
        """``cluster`` and ``digest`` (what the brake held back) or ``identity`` (the cluster that answers)."""
        _only(params, "cluster", "digest", "identity")
        config = self._one(params)
        digest, identity = params.get("digest", "").strip(), params.get("identity", "").strip()
        if bool(digest) == bool(identity):
            raise BadRequest(400, "BadParameter", "give either digest or identity")
        state = self.worker.ledger.state(config.name)
        if digest:
            return self._release_digest(state, digest)
        return self._accept_identity(state, identity)

    def _release_digest(self, state: ClusterState, digest: str) -> Reply:
        held = state.last_run.get("heldDigest", "")
        if digest != held:
            raise BadRequest(
                409,
                "NothingHeld" if not held else "OtherDigest",
                f"cluster {state.cluster} holds back {f'{held}, not {digest[:80]}' if held else 'nothing'}; look at "
                "the plan again: only exactly the list you have read is released",
            )
        until = self.worker.engine.clock.now() + RELEASE_FOR
        self._change(
            state.cluster,
            lambda s: replace(s, released=digest, released_until=until),
            f"the held deletes {digest} were released",
        )
        return Reply(202, {"cluster": state.cluster, "released": digest, "queued": [state.cluster]})

    def _accept_identity(self, state: ClusterState, identity: str) -> Reply:
        if not state.offered or identity != state.offered:
            raise BadRequest(
                409, "OtherIdentity", f"cluster {state.cluster} offers {not_offered(state, identity)}"
            )
        self._change(
            state.cluster,
            lambda s: replace(s, identity=identity, offered=""),
            f"the cluster with identity {identity} was accepted",
        )
        return Reply(202, {"cluster": state.cluster, "identity": identity, "queued": [state.cluster]})

    def _change(
        self, cluster: str, change: Callable[[ClusterState], ClusterState], sentence: str, wake: bool = True
    ) -> None:
        """Change the state row, write it into the history, and wake the cluster."""
        decide(self.worker.ledger, cluster, self.worker.engine.clock.now(), change, sentence)
        if wake:
            self.worker.queue.send(WakeUp(cluster, wakeups.PERSON))

    def pause(self, params: Params) -> Reply:
        """``cluster``: nothing is done for it until it is resumed; wake-ups are dropped."""
        _only(params, "cluster")
        name = self._one(params).name
        self._change(name, lambda s: replace(s, paused=True), "the cluster was paused", wake=False)
        return Reply(200, {"cluster": name, "paused": True})

    def resume(self, params: Params) -> Reply:
        """``cluster``: go on, beginning with a full run."""
        _only(params, "cluster")
        name = self._one(params).name
        self._change(name, lambda s: replace(s, paused=False), "the cluster was resumed")
        return Reply(202, {"cluster": name, "paused": False, "queued": [name]})

    def status(self, params: Params) -> Reply:
        """``cluster`` (all where absent): the state from the ledgers alone."""
        _only(params, "cluster")
        name = params.get("cluster", "").strip()
        configs = self.worker.configs()
        ledger, engine = self.worker.ledger, self.worker.engine
        report = status(ledger, configs, name, engine.pool, now=engine.clock.now(), problems=self.problems())
        if name and name not in configs and not report["clusters"][0]["lastRun"]:
            raise _unknown(name, configs)
        return Reply(200, report)

    def history(self, params: Params) -> Reply:
        """``cluster`` (all where absent), ``limit`` (1 to 500, default 50): the newest entries first."""
        _only(params, "cluster", "limit")
        limit, name = _number(params, "limit", 50, MAX_HISTORY), params.get("cluster", "").strip()
        entries = self.worker.ledger.history(name, limit)
        if name and not entries and name not in self.worker.configs():
            raise _unknown(name, self.worker.configs())
        return Reply(200, {"version": VERSION, "entries": [entry_json(e) for e in entries]})

    def health(self) -> Reply:
        """Reads the configuration and one row of the ledger. Raises RetryLater where clusters cannot be found."""
        self.worker.configs()
        if problems := self.problems():
            raise RetryLater("; ".join(problems))
        self.worker.ledger.lease("health")
        return Reply(200, {})

    def _one(self, params: Params) -> ClusterConfig:
        name = params.get("cluster", "").strip()
        configs = self.worker.configs()
        if not name:
            raise BadRequest(400, "BadParameter", "cluster is required: the name of a configured cluster")
        if name not in configs:
            raise _unknown(name, configs)
        return configs[name]

    def _some(self, params: Params) -> list[ClusterConfig]:
        if params.get("cluster", "").strip():
            return [self._one(params)]
        return [config for _, config in sorted(self.worker.configs().items())]


def not_offered(state: ClusterState, identity: str) -> str:
    """What a cluster offers in place of the identity that somebody wants to accept."""
    return (
        f"{state.offered}, not {identity[:80]}" if state.offered else "no other identity: nothing to accept"
    )


def _unknown(name: str, configs: Mapping[str, ClusterConfig]) -> BadRequest:
    names = ", ".join(sorted(configs)[:20])
    return BadRequest(404, "UnknownCluster", f"cluster {name[:80]!r} is not configured; configured: {names}")


def _paused(name: str) -> BadRequest:
    return BadRequest(
        409, "Paused", f"cluster {name} is paused; resume it first (POST /api/resume, or plsctl resume)"
    )


def _only(params: Params, *names: str) -> None:
    """A misspelt parameter must not lead to something else being done."""
    for name in params:
        if name not in names:
            close = get_close_matches(name.lower(), [n.lower() for n in names], 1)
            meant = next((f"; did you mean {n}?" for n in names if [n.lower()] == close), "")
            raise BadRequest(
                400,
                "BadParameter",
                f"there is no parameter {name[:80]!r}{meant or '.'} Known: {', '.join(names)}",
            )


def _flag(params: Params, name: str) -> bool:
    value = params.get(name, "").strip().lower()
    if value not in ("", "true", "false", "1", "0"):
        raise BadRequest(400, "BadParameter", f"{name} must be true or false")
    return value in ("true", "1")


def _number(params: Params, name: str, default: int, maximum: int) -> int:
    value = params.get(name, "").strip()
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and len(value) < 10 and 1 <= int(value) <= maximum):
        raise BadRequest(400, "BadParameter", f"{name} must be a number from 1 to {maximum}")
    return int(value)
