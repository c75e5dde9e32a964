"""What is asked of the function app through storage: the same calls, words and checks as over HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler import wiring
from reconciler.api import Api, Reply
from reconciler.cli import codes
from reconciler.cli.session import Session, mistake
from reconciler.lines import Line, line, shown


def resync(session: Session, wait: bool) -> int:
    """Queue the clusters that are meant; with ``wait`` run the one here and now."""
    api, screen = _api(session), session.screen
    if wait:
        name = session.one.name
        with screen.progress(f"{name}: looking, planning, writing"):
            reply = api.resync({"cluster": name, "wait": "true"})
        return _tell(
            session, reply, str(reply.body.get("message", "")), _run_lines(reply.body.get("run", {}))
        )
    named = [{"cluster": config.name} for config in session.configs] if session.named else [{}]
    body = _merged(api.resync(params).body for params in named)
    sentence = f"asked for a run of {_listed(body['queued'])}"
    paused = f"; paused, and left alone: {_listed(body['paused'])}" if body["paused"] else ""
    return _tell(session, Reply(202, body), sentence + paused)


def pause(session: Session) -> int:
    """Pause the cluster."""
    name = session.one.name
    reply = _api(session).pause({"cluster": name})
    return _tell(
        session, reply, f"{name} is paused; nothing is done for it until: plsctl resume --cluster {name}"
    )


def resume(session: Session) -> int:
    """Resume the cluster."""
    name = session.one.name
    return _tell(
        session, _api(session).resume({"cluster": name}), f"{name} is resumed, a full run is asked for"
    )


def release(session: Session, digest: str) -> int:
    """Release what the brake holds back under this digest."""
    name = session.one.name
    reply = _api(session).release({"cluster": name, "digest": _given("DIGEST", digest)})
    return _tell(
        session, reply, f"{name}: the held deletes {digest} are released for an hour, a run is asked for"
    )


def accept_identity(session: Session, uid: str) -> int:
    """Accept the identity that the cluster offers."""
    name = session.one.name
    reply = _api(session).release({"cluster": name, "identity": _given("UID", uid)})
    return _tell(session, reply, f"{name}: the identity {uid} is accepted, a run is asked for")


def _given(what: str, value: str) -> str:
    if not value.strip():
        raise mistake(f"{what} is empty")
    return value


def _api(session: Session) -> Api:
    return wiring.app(session.settings, session.out).api


def _run_lines(run: Mapping[str, Any]) -> Iterator[Line]:
    """What a run did, and what it found."""
    for write in run.get("writes", ()):
        error = f" ({shown(write['error'])})" if write.get("error") else ""
        kind = "error" if write["result"] == "failed" else "ok"
        yield Line((("", f"  {shown(write['sentence'])}: "), (kind, f"{write['result']}{error}")))
    for finding in run.get("findings", ()):
        told = f"  ! {finding['severity']} {finding['reason']}"
        yield Line(((finding["severity"], told), ("", f": {shown(finding['sentence'])}")))


def _tell(session: Session, reply: Reply, sentence: str, more: Iterable[Line] = ()) -> int:
    if session.screen.json:
        session.screen.document(reply.body)
    else:
        session.screen.show([line("ok", sentence), *more])
    run: Mapping[str, Any] = reply.body.get("run", {})
    failed = not run.get("complete", True) or any(w["result"] == "failed" for w in run.get("writes", ()))
    return codes.ERROR if failed else codes.DONE


def _merged(bodies: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The answers for several clusters as one."""
    merged: dict[str, Any] = {}
    for body in bodies:
        for key, names in body.items():
            merged.setdefault(key, []).extend(names)
    return merged


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nobody"
