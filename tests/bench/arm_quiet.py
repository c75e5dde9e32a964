"""What a run that writes nothing asks of ARM: as much for a thousand Private Link Services as for one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.bench.figures import Figure, Target
from tests.bench.worlds import Cluster, Product, World, until, world

SIZES = (1, 100, 1000)
PAGE = 500
ALLOWED = 6

CALLS = Target("ARM calls of a run that writes nothing, at 1, 100 and 1,000 PLSs", must=1)
GROWTH = Target("the same, pages aside: 1,000 PLSs compared with one", must=1)
KUBERNETES = Target("Kubernetes calls of the same runs")
TARGETS = (CALLS, GROWTH, KUBERNETES)


def measure() -> Iterator[Figure]:
    """A world per size: made by the product, then looked at once more."""
    seen = [_quiet(size) for size in SIZES]
    pages = [arm["further pages"] for arm, _ in seen]
    calls = [arm.total() for arm, _ in seen]
    bare = [call - page for call, page in zip(calls, pages, strict=True)]
    most = max(call / (ALLOWED + page) for call, page in zip(calls, pages, strict=True))
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(seen[-1][0].items()))
    yield CALLS.figure(
        " / ".join(map(str, calls)),
        " / ".join(f"6 + {page} pages" if page else "6" for page in pages),
        most,
        f"pages of {PAGE}; at 1,000: {kinds}",
    )
    yield GROWTH.figure(str(bare[-1]), str(bare[0]), bare[-1] / bare[0], "no call per PLS")
    yield KUBERNETES.figure(
        " / ".join(str(cluster) for _, cluster in seen),
        "2 + pages",
        None,
        "identity, and the list of Services",
    )


def _quiet(size: int) -> tuple[Counter[str], int]:
    """ARM's calls by kind, and the number of Kubernetes calls, of one run that writes nothing."""
    cluster = Cluster("prod", size)
    with world([cluster], provisioning_seconds=0.1, page_size=PAGE) as found:
        product = Product(found)
        with product.pumping():
            product.wake("prod")
            until(
                240, lambda: product.served and "nothing to write; 0 findings" in product.served[-1].sentence
            )
        found.forget_requests()
        found.kubernetes("prod", "DELETE", "requests")
        product.run("prod")
        assert "nothing to write; 0 findings" in product.served[-1].sentence
        asked: list[object] = found.kubernetes("prod", "GET", "requests")["value"]
        return _kinds(found), len(asked)


def _kinds(found: World) -> Counter[str]:
    """Calls by the type that was asked for; a page after the first counts as one more kind."""
    kinds: Counter[str] = Counter()
    for line in found.requests():
        assert line["method"] == "GET"
        last, before = line["path"].split("/")[-1], line["path"].split("/")[-2]
        kinds[
            "further pages" if "skipToken" in line["query"] else before if before == "subnets" else last
        ] += 1
    return kinds
