"""What a Service is told that stands on no frontend."""

from __future__ import annotations

from reconciler.plan import Reason, Severity
from tests.builders import GROUP, decide, found, service


def test_a_service_without_a_frontend_is_told_where_it_was_looked_for() -> None:
    """The likeliest first mistake is a wrong loadBalancerResourceGroup: silence would look like success."""
    web = service("web")
    result = decide(web, frontends=[])
    finding = found(result, Reason.NO_FRONTEND)
    assert (finding.severity, finding.service) == (Severity.INFO, web.key)
    assert GROUP in finding.sentence
    assert result.empty


def test_a_service_that_does_not_ask_hears_nothing() -> None:
    """Most Services have nothing to do with Private Link."""
    assert decide(service("web", asks=False), frontends=[]).findings == ()
