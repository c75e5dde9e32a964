"""Properties of claims: any annotations are read, refused or planned, and never raise."""

from __future__ import annotations

import json
from collections.abc import Mapping

from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler import arm_ids
from reconciler.claims import Invalid, read_claim
from reconciler.model import STANDARD_PREFIX
from reconciler.plan import PutPls, Severity
from reconciler.planning import needs, plan
from reconciler.planning.verdicts import subnet_id
from reconciler.rendering import plan_json, plan_lines
from tests.builders import CONFIG, LIMITS, NOW, frontend, observe, pls, service, text_of
from tests.property.worlds import ANNOTATIONS, MANY_ADDRESSES

RUN = settings(max_examples=200, deadline=None, database=None, derandomize=True)
ASKS = STANDARD_PREFIX + "create"


@RUN
@given(ANNOTATIONS)
@example({ASKS: "true", STANDARD_PREFIX + "ip-configuration-ip-address": MANY_ADDRESSES})
@example({ASKS: "true", STANDARD_PREFIX + "name": "\ud800"})
def test_any_annotations_are_read_and_give_a_valid_wish_or_its_mistakes(
    annotations: Mapping[str, str],
) -> None:
    """What is called valid keeps the limits; what is not says why, in a readable length."""
    web = service(asks=False, internal=False, annotations=annotations)
    claim = read_claim(web, STANDARD_PREFIX, "default")
    if isinstance(claim.wish, Invalid):
        assert claim.wish.mistakes
        assert all(m.isprintable() and len(m) < 700 for m in claim.wish.mistakes)
        return
    wish = claim.wish
    assert 1 <= wish.ip_count <= 8
    assert len(wish.static_ips) <= wish.ip_count
    assert max(len(wish.visibility), len(wish.auto_approval)) <= 100
    assert wish.hash == read_claim(web, STANDARD_PREFIX, "default").wish.hash  # type: ignore[union-attr]
    on = frontend(web)
    parsed = arm_ids.parse(needs.wished_id(CONFIG, on, wish))
    assert parsed is not None
    assert parsed.rest == ()
    assert len(parsed.name) <= 80
    at = arm_ids.parse(subnet_id(CONFIG, wish))
    assert at is not None
    assert len(at.rest) == 2


@RUN
@given(ANNOTATIONS, ANNOTATIONS, st.booleans())
@example({STANDARD_PREFIX + "fqdns": "\x1b[31mred\n"}, {}, True)
def test_any_annotations_are_planned_and_only_their_own_service_is_refused(
    annotations: Mapping[str, str], others: Mapping[str, str], served: bool
) -> None:
    """A plan that can be shown; a plain Service beside gets its PLS whatever the others say."""
    odd = service("odd", annotations={**annotations, ASKS: "true"})
    odder = service("odder", internal=False, annotations=others)
    plain = service("plain", settings={"name": "plain-and-simple-name"}, age_days=99)
    fronts = [frontend(plain), frontend(odd, odder)]
    there = pls(fronts[1], odd, "there") if served else None
    seen = observe(plain, odd, odder, frontends=fronts, links=[there] if there else [], now=NOW)
    result = plan(seen, LIMITS)
    assert "shop/plain" in {w.service for w in result.writes}
    assert "shop/plain" not in {f.service for f in result.findings if f.severity is Severity.ERROR}
    json.dumps(plan_json(result, "sync"))
    lines = text_of(plan_lines(result, "sync")).split("\n")
    assert all(line.isprintable() for line in lines), lines
    for write in result.writes:
        if isinstance(write, PutPls):
            names = [c["name"] for c in write.body["properties"]["ipConfigurations"]]
            assert max(map(len, names)) <= 80
            assert len(set(names)) == len(names)
