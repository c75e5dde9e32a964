"""The judge of the two writers itself: it must see a fight, and only a fight."""

from __future__ import annotations

from typing import Any

from tests.scenarios.overwriting import LinkWrite, overwrites

Json = dict[str, Any]


def put(who: str, at: float, *fqdns: str) -> LinkWrite:
    body = {"properties": {"loadBalancerFrontendIpConfigurations": [{"id": "/f"}], "fqdns": list(fqdns)}}
    return LinkWrite(who, "PUT", "pls", body, at)


def test_a_put_of_the_other_with_another_content_is_an_overwriting() -> None:
    """Both ways."""
    for first, second in (("product", "provider"), ("provider", "product")):
        two = put(first, 1, "a"), put(second, 2, "b")
        assert overwrites(two, []) == [two]


def test_the_same_content_a_person_in_between_and_a_delete_are_none() -> None:
    """Whoever was asked anew may write anew."""
    assert overwrites([put("product", 1, "a", "b"), put("provider", 2, "b", "a")], []) == []
    assert overwrites([put("product", 1, "a"), put("provider", 3, "b")], [2]) == []
    assert overwrites([put("person", 1, "a"), put("product", 2, "b")], []) == []
    gone = LinkWrite("provider", "DELETE", "pls", None, 2)
    assert overwrites([put("product", 1, "a"), gone, put("provider", 3, "b")], []) == []
