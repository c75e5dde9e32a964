"""The real kubectl, pointed at a simulated cluster."""

import os
import subprocess
from pathlib import Path

from tests.sandbox.kubernetes_support import Cluster

MANIFEST = """
apiVersion: v1
kind: Service
metadata:
  name: web
  annotations:
    service.beta.kubernetes.io/azure-load-balancer-internal: "true"
    service.beta.kubernetes.io/azure-pls-create: "true"
spec:
  type: LoadBalancer
  ports:
  - {name: http, port: 80, targetPort: 8080}
"""


class Kubectl:
    """kubectl with a kubeconfig and a home of its own."""

    def __init__(self, cluster: Cluster, home: Path, token: str = "") -> None:
        config = cluster.running.kubeconfig(home / f"config-{token}", token=token)
        self.cluster = cluster
        self.home = home
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(config)}

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = ["kubectl", *arguments]
        return subprocess.run(
            command, input=stdin, env=self.environment, capture_output=True, text=True, timeout=30
        )

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, manifest: str = MANIFEST) -> str:
        return self("apply", "-f", "-", stdin=manifest)
