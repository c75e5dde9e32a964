"""A simulated Kubernetes API: enough for kubectl, the Python client and controllers on Services, Namespaces and Events."""

from sandbox.kubernetes.access import Role, Rule
from sandbox.kubernetes.cluster import ClusterOptions, RunningCluster, start_cluster

__all__ = ["ClusterOptions", "Role", "Rule", "RunningCluster", "start_cluster"]
