"""What a sandbox is made of, as its user chooses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sandbox.arm import Throttle

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class SandboxOptions:
    """`state` is the folder that gets the files; None takes a temporary one. Times in seconds.

    clusters are simulated; kubeconfigs (name → file) are real ones that somebody brings. ccm_pls: the cloud providers play the in-tree Private Link Service part too. app: the folder of
    function_app.py; None takes the repository if it has one. arm_port: 0 takes a free one. throttle: ARM counts
    tokens, as Azure does. token_seconds: how long a token for ARM or a cluster is good. api "aks": clusters.yaml names
    the clusters' AKS resources only, and what they tell is left out; "kubeconfig": files with an admin's token.
    publish: a custom topic of Event Grid for the product's own events. managed_networks: clusters whose network has the names that AKS gives it. contention: "parent" lets ARM carry out one write at a time below a network. extra_settings go to the functions, over the
    generated ones. storage: without it there are no queues, hence no functions either.
    """

    state: Path | None = None
    clusters: tuple[str, ...] = ("prod", "dev")
    kubeconfigs: Mapping[str, Path] = field(default_factory=dict)
    provisioning_seconds: float = 2.0
    ccm_pls: bool = False
    pls_cache_seconds: float = 120.0
    settle_seconds: int | None = None
    cloud_provider: bool = True
    storage: bool = True
    functions: bool = True
    app: Path | None = None
    timers: bool = True
    cluster_name: str = "kubernetes"
    mode: str = "sync"
    arm_port: int = 0
    throttle: Throttle | None = None
    token_seconds: int = 36_000
    api: Literal["kubeconfig", "aks"] = "kubeconfig"
    managed_networks: tuple[str, ...] = ()
    contention: Literal["none", "parent"] = "none"
    publish: bool = False
    extra_settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if twice := set(self.clusters) & set(self.kubeconfigs):
            raise ValueError(f"simulated and real clusters of the same name: {', '.join(sorted(twice))}")

    @property
    def app_folder(self) -> Path | None:
        """The folder of the functions to run, None for none."""
        folder = self.app or ROOT
        wanted = self.functions and self.storage and (folder / "function_app.py").exists()
        return folder if wanted or (self.app and self.functions and self.storage) else None
