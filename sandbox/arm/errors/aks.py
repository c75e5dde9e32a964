"""What AKS refuses."""

from sandbox.arm.errors.situation import Situation

NO_LOCAL_ACCOUNTS = Situation(
    "admin credentials of an AKS cluster without local accounts",
    400,
    "BadRequest",
    "Getting static credential is not allowed because this cluster is set to disable local "
    "accounts. For more details, see https://learn.microsoft.com/en-us/azure/aks/manage-local-accounts-managed-azure-ad",
    "3P",
)
NOT_RUNNING = Situation(
    "stop of an AKS cluster that does not run",
    409,
    "OperationNotAllowed",
    "managed cluster is not currently running, stopping cannot be performed",
    "DOC",
)
NOT_STOPPED = Situation(
    "start of an AKS cluster that is not stopped",
    409,
    "OperationNotAllowed",
    "managed cluster is not currently stopped, starting cannot be performed",
    "INF",
)
AKS_BUSY = Situation(
    "stop or start of an AKS cluster while another operation runs on it",
    409,
    "OperationNotAllowed",
    "Operation is not allowed: Another operation is in progress on the managed cluster. To "
    "retrieve status of the operation use uri: {uri}.",
    "INF",
)
NO_CONTROL_PLANE = Situation(
    "credentials of an AKS cluster that no simulated API server stands behind",
    404,
    "SimNoControlPlane",
    "No API server is simulated for the managed cluster '{name}'.",
    "UNV",
)
