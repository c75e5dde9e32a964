"""The cloud provider of a simulated cluster: Services of type LoadBalancer become frontends in ARM, as AKS's does it."""

from sandbox.cloud_provider.controller import RunningCloudProvider, start_cloud_provider
from sandbox.cloud_provider.options import ProviderOptions

__all__ = ["ProviderOptions", "RunningCloudProvider", "start_cloud_provider"]
