"""What `python -m sandbox up` says when it is ready."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_SERVICE = """\
kubectl apply -f - <<'END'
apiVersion: v1
kind: Service
metadata:
  name: myapp
  annotations:
    service.beta.kubernetes.io/azure-load-balancer-internal: "true"
    service.beta.kubernetes.io/azure-pls-create: "true"
spec:
  type: LoadBalancer
  ports: [{port: 80}]
END"""


def welcome(endpoints: dict[str, Any], state: Path) -> str:
    """Endpoints, the kubeconfig to use and commands to try."""
    arm, functions = endpoints["arm"], endpoints["functions"]
    rows = [("Azure Resource Manager", arm["url"]), ("its certificate authority", arm["ca"])]
    rows += [(f"cluster {name}", known["server"]) for name, known in endpoints["clusters"].items()]
    if functions:
        rows.append(("functions", functions["url"]))
    rows.append(("all endpoints and keys", str(state / "endpoints.json")))
    first = next(iter(endpoints["clusters"].values()))
    lines = ["The sandbox is up.", "", *(f"  {what:<28}{where}" for what, where in rows)]
    lines += ["", "To try it, in another terminal:", "", f"export KUBECONFIG={first['kubeconfig']}", _SERVICE]
    lines += ["kubectl get services --watch", *_product_lines(functions, state)]
    return "\n".join([*lines, "", "Ctrl-C ends it."])


def _product_lines(functions: dict[str, Any] | None, state: Path) -> list[str]:
    lines = [f". {state / 'environment'}", f"python -m reconciler plan --config {state / 'clusters.yaml'}"]
    if functions:
        key = functions["keys"]["masterKey"]
        lines.append(f"curl -H 'x-functions-key: {key}' {functions['url']}/api/status")
    return lines
