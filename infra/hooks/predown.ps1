# azd down deletes every resource group that the deployment touched (Azure/azure-dev#2916): those of `targets` as well, where
# clusters have their nodes and networks, and the Private Link Services are. So never.
throw @'
azd down would delete all resource groups named in targets and eventSources, with everything in them.
How to uninstall, and keep the Private Link Services: docs/operations.md, Uninstall.
'@
