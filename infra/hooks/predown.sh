#!/bin/sh
# azd down deletes every resource group that the deployment touched (Azure/azure-dev#2916): those of `targets` as well, where
# clusters have their nodes and networks, and the Private Link Services are. So never.
echo "azd down would delete all resource groups named in targets and eventSources, with everything in them." >&2
echo "How to uninstall, and keep the Private Link Services: docs/operations.md, Uninstall." >&2
exit 1
