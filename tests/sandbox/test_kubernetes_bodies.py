"""Bodies of every wrong shape, by every way of writing: the simulated API server refuses, and never breaks."""

import copy
import json
import random
from typing import Any

import pytest

from tests.sandbox.kubernetes_support import MERGE, SERVICES, STRATEGIC, cluster_running

APPLY = "application/apply-patch+yaml"
WEB = f"{SERVICES}/web"
TURNS = 250
# The real server's own 500, for what server-side apply does not know.
UNDECLARED = "failed to create typed patch object"
WHOLE: dict[str, Any] = {
    "metadata": {
        "name": "web",
        "annotations": {"a": "b"},
        "labels": {"a": "b"},
        "finalizers": ["a/b"],
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}],
        "managedFields": [{"manager": "m", "operation": "Update", "fieldsV1": {"f:spec": {"k:x": {}}}}],
    },
    "spec": {
        "type": "LoadBalancer",
        "clusterIP": "10.0.3.3",
        "clusterIPs": ["10.0.3.3"],
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "ports": [{"name": "a", "port": 80, "targetPort": "x", "nodePort": 30100, "appProtocol": "x"}],
        "selector": {"a": "b"},
        "sessionAffinity": "ClientIP",
        "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}},
        "externalIPs": ["1.2.3.4"],
        "loadBalancerSourceRanges": ["10.0.0.0/8"],
        "externalTrafficPolicy": "Local",
        "healthCheckNodePort": 30222,
        "loadBalancerClass": "a/b",
    },
    "status": {
        "loadBalancer": {"ingress": [{"ip": "1.2.3.4", "ipMode": "VIP"}]},
        "conditions": [{"type": "a", "status": "b"}],
    },
}
ODD: tuple[Any, ...] = (
    None,
    "",
    0,
    -1,
    70000,
    "x",
    True,
    [],
    {},
    ["x"],
    [None],
    [{}],
    {"a": None},
    {"a": 1},
    "None",
    "::1",
    1.5,
)
WAYS = (
    ("POST", SERVICES, "application/json"),
    ("PUT", WEB, "application/json"),
    ("PATCH", WEB, MERGE),
    ("PATCH", WEB, STRATEGIC),
    ("PATCH", f"{WEB}/status", STRATEGIC),
    ("PATCH", f"{WEB}?fieldManager=one", APPLY),
    ("PATCH", f"{WEB}?fieldManager=two&force=true", APPLY),
)


def spoilt(chance: random.Random) -> Any:
    """The whole Service with up to three of its parts gone or replaced by something odd."""
    body = copy.deepcopy(WHOLE)
    for _ in range(chance.randint(1, 3)):
        node: Any = body
        while node:
            key = chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
            if isinstance(node[key], (dict, list)) and node[key] and chance.random() < 0.75:
                node = node[key]
                continue
            node[key] = copy.deepcopy(chance.choice(ODD))
            break
    return body


@pytest.mark.parametrize("seed", range(3))
def test_no_body_breaks_the_server(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Bug caught: a 500 with a Python error where Kubernetes says what is wrong."""
    chance = random.Random(seed)
    with cluster_running(tmp_path_factory.mktemp("cluster")) as cluster:
        for _ in range(TURNS):
            if cluster.call("GET", WEB)[0] == 404:
                cluster.create("web")
            (method, path, content), body = chance.choice(WAYS), spoilt(chance)
            status, answer = cluster.call(method, path, body, content=content)
            assert status < 500 or UNDECLARED in answer["message"], (method, path, json.dumps(body), answer)
