"""What `python -m sandbox up` says when it is ready, and when a part of it ended."""

from __future__ import annotations

import shlex
import signal
import sys
from pathlib import Path
from typing import Any

from sandbox.up_options import ROOT

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

_PARTS = {"functions": "The functions host", "storage": "The storage (Azurite)"}


def welcome(endpoints: dict[str, Any], state: Path) -> str:
    """Endpoints, the kubeconfig to use and commands to try."""
    arm, functions = endpoints["arm"], endpoints["functions"]
    rows = [("Azure Resource Manager", arm["url"]), ("its certificate authority", arm["ca"])]
    rows += [(f"cluster {name}", known["server"]) for name, known in endpoints["clusters"].items()]
    if functions:
        rows.append(("functions", functions["url"]))
    if topic := endpoints["topic"]:
        rows.append(("topic of its own events", topic["url"]))
    rows.append(("all endpoints and keys", str(state / "endpoints.json")))
    first = next(iter(endpoints["clusters"].values()))
    lines = ["The sandbox is up.", "", *(f"  {what:<28}{where}" for what, where in rows)]
    lines += ["", "To try it, in another terminal:", "", f"cd {_quoted(ROOT)}"]
    lines += [f"export KUBECONFIG={_quoted(first['kubeconfig'])}", _SERVICE]
    # The line that does not end by itself stands last: all of them may be pasted at once.
    lines += [*_product_lines(functions, state), "kubectl get services --watch"]
    return "\n".join([*lines, "", "Ctrl-C ends it."])


def _product_lines(functions: dict[str, Any] | None, state: Path) -> list[str]:
    plan = f"{_quoted(sys.executable)} -m reconciler plan --config {_quoted(state / 'clusters.yaml')}"
    lines = [f". {_quoted(state / 'environment')}", plan]
    if functions:
        key = functions["keys"]["masterKey"]
        lines.append(f"curl -H 'x-functions-key: {key}' {functions['url']}/api/status")
    return lines


def farewell(name: str, code: int, state: Path) -> str:
    """What ended by itself, how, and how to go on. `name` as in `pids`, `code` as `Popen.returncode`."""
    how = f"was killed by {_signal(-code)}" if code < 0 else f"ended with exit code {code}"
    where = f"; its log: {state / 'functions.log'}" if name == "functions" else ""
    return f"{_PARTS[name]} {how}{where}. The rest ends with it: start the sandbox again to go on."


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"


def _quoted(path: object) -> str:
    return shlex.quote(str(path))
