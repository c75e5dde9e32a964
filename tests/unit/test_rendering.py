"""Plans as text and JSON: what people read and pipelines rely on."""

from __future__ import annotations

import json
from dataclasses import replace

from reconciler.bookkeeping import Outcome, Result, outcome_of
from reconciler.errors import Rejected
from reconciler.model import Mode, Proof
from reconciler.plan import Plan
from reconciler.planning import plan
from reconciler.rendering import (
    VERSION,
    instant,
    outcome_json,
    outcome_text,
    plan_json,
    plan_lines,
    write_json,
)
from tests.builders import (
    LIMITS,
    NOW,
    connection,
    decide,
    frontend,
    needed_proofs,
    observe,
    pls,
    put_of,
    row,
    service,
    subnet,
    subnets,
    text_of,
)


def plan_text(plan: Plan, mode: Mode) -> str:
    """A plan as a pipe gets it."""
    return text_of(plan_lines(plan, mode))


WEB = service(settings={"fqdns": "new.example", "visibility": "*"})
ON = frontend(WEB)
UPDATE = decide(WEB, links=[pls(ON, WEB, "mine", fqdns=["old.example"])])


def braked() -> Plan:
    """A plan that holds three deletes back."""
    services = [service(f"s{i}") for i in range(3)]
    links = [pls(frontend(s), s, s.name, privateEndpointConnections=[connection(s.name)]) for s in services]
    rows = tuple(row(link, s) for link, s in zip(links, services, strict=True))
    seen = observe(frontends=[frontend(s) for s in services], links=links, ownership=rows)
    return plan(replace(seen, proofs=dict.fromkeys(needed_proofs(seen), Proof.GONE)), LIMITS)


def test_the_json_of_a_plan_has_its_documented_shape() -> None:
    """Each key that the module promises, and no other: pipelines read it."""
    shape = plan_json(UPDATE, "sync")
    assert sorted(shape) == sorted(
        [
            "version",
            "cluster",
            "mode",
            "digest",
            "heldDigest",
            "empty",
            "unread",
            "writes",
            "after",
            "held",
            "findings",
        ]
    )
    assert (shape["version"], shape["cluster"], shape["mode"], shape["empty"]) == (
        VERSION,
        "prod",
        "sync",
        False,
    )
    (write,) = shape["writes"]
    assert sorted(write) == sorted(["verb", "target", "service", "frontend", "reason", "sentence", "changes"])
    assert (write["verb"], write["service"], write["frontend"]) == ("update", "shop/web", ON.id)
    assert write["changes"][0] == {"property": "fqdns", "before": ["old.example"], "after": ["new.example"]}
    json.dumps(shape)


def test_the_json_of_a_finding_has_its_documented_shape() -> None:
    """Reason codes and severities are words of the interface."""
    refused = decide(service(settings={"ip-configuration-ip-address-count": "9"}))
    (finding,) = plan_json(refused, "sync")["findings"]
    assert sorted(finding) == sorted(
        ["reason", "severity", "sentence", "service", "frontend", "privateLinkService"]
    )
    assert (finding["reason"], finding["severity"], finding["service"]) == (
        "InvalidSettings",
        "error",
        "shop/web",
    )


def test_text_and_json_tell_the_same_digest_and_writes() -> None:
    """What a person approves is what a pipeline passes on."""
    text, shape = plan_text(UPDATE, "sync"), plan_json(UPDATE, "sync")
    assert shape["digest"] in text
    assert all(w["sentence"] in text for w in shape["writes"])
    assert "fqdns: old.example → new.example" in text
    assert "visibility: (none) → *" in text


def test_a_plan_reads_like_a_diff() -> None:
    """What, why, and every property: of an update before and after, of what is new what it will be."""
    assert next(part for part in lines_of(UPDATE) if part[0] == "update")[1].startswith("  ~ update")
    assert ("why", "      why: the claim changed (Update)") in lines_of(UPDATE)
    assert {("before", "old.example"), ("after", "new.example")} <= set(lines_of(UPDATE))
    asked = service(settings={"fqdns": "a.example", "ip-configuration-ip-address": "10.224.0.77"})
    new = [each.text.strip() for each in plan_lines(decide(asked), "sync")]
    assert {"+ fqdns: a.example", "+ ipConfigurations: 10.224.0.77 in default"} <= set(new)
    assert f"+ frontend: {frontend(asked).id}" in new
    opened = decide(service(), subnets=subnets(subnet("default", "Enabled")))
    assert "privateLinkServiceNetworkPolicies: Enabled → Disabled" in plan_text(opened, "sync")
    assert [c["after"] for w in plan_json(opened, "sync")["writes"] for c in w["changes"]] == ["Disabled"]


def lines_of(shown: Plan) -> list[tuple[str, str]]:
    """Every part of a plan's lines with its kind."""
    return [part for each in plan_lines(shown, "sync") for part in each.parts]


def test_an_empty_plan_is_one_line() -> None:
    """Nothing to write, no digest."""
    assert plan_text(decide(), "sync") == "prod: nothing to write"
    assert plan_json(decide(), "sync")["empty"] is True


def test_held_and_later_writes_are_marked() -> None:
    """With the digest that releases them, and what comes after."""
    held = braked()
    text, shape = plan_text(held, "sync"), plan_json(held, "sync")
    assert held.held_digest
    assert shape["heldDigest"] == held.held_digest
    assert text.count(f"release with {held.held_digest}") == 3
    waiting = plan_text(decide(service(), subnets=subnets(subnet("default", "Enabled"))), "sync")
    assert "(after)" in waiting


def test_a_plan_of_mode_plan_says_that_nothing_is_written() -> None:
    """Or a person would wait for it."""
    assert "nothing is written" in plan_text(UPDATE, "plan").split("\n")[0]
    assert "nothing is written" not in plan_text(UPDATE, "sync")


def test_values_of_annotations_cannot_forge_lines_or_colours() -> None:
    """Control characters are escaped where a plan shows what changes."""
    odd = service(settings={"fqdns": "a\x1b[31m\nprod:\u2028x"})
    lines = plan_text(decide(odd, links=[pls(frontend(odd), odd)]), "sync").split("\n")
    assert all(line.isprintable() for line in lines)
    assert "\\x1b" in "".join(lines)


def test_outcomes_name_write_result_and_error() -> None:
    """As progress, and as JSON."""
    write = put_of(UPDATE)
    assert outcome_text(Outcome(write, Result.ACCEPTED)) == "  update mine: accepted"
    failed = outcome_of(write, Rejected("too small", code="Bad"))
    assert outcome_text(failed) == "  update mine: failed (too small)"
    assert outcome_json(failed) == {
        **write_json(write),
        "result": "failed",
        "error": "too small",
        "code": "Bad",
    }
    assert "error" not in outcome_json(Outcome(write, Result.ACCEPTED))


def test_moments_are_rfc_3339_to_the_second() -> None:
    """Or nothing."""
    assert (instant(NOW.replace(microsecond=999)), instant(None)) == ("2026-06-01T12:00:00Z", None)
