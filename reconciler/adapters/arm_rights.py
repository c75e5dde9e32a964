"""What Azure Resource Manager tells of the caller's rights and of its own clock: for the doctor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from reconciler.adapters import arm_errors
from reconciler.adapters.arm_client import ArmClient, segment
from reconciler.adapters.arm_errors import Request
from reconciler.doctor_permissions import Grant

PERMISSIONS_VERSION = "2022-04-01"  # of Microsoft.Authorization/permissions
SUBSCRIPTIONS_VERSION = "2022-12-01"


class ArmRights:
    """The rights of whoever ``token`` is of. Threads share one instance."""

    def __init__(self, client: ArmClient, token: Callable[[], str]) -> None:
        self._client, self._token = client, token

    def identity(self) -> str:
        """An access token for Azure Resource Manager. Raises Denied where there is none."""
        return self._token()

    def at(self, scope: str) -> tuple[Grant, ...]:
        """What the caller's roles give at a scope, a subscription's, group's or resource's id."""
        request = Request("GET", f"the permissions at {scope}")
        path = f"/{scope.strip('/')}/providers/Microsoft.Authorization/permissions"
        items = self._client.items(request, path, PERMISSIONS_VERSION)
        return tuple(Grant(_texts(item.get("actions")), _texts(item.get("notActions"))) for item in items)

    def time(self, subscription: str) -> datetime:
        """Azure's clock in whole seconds, by an answer about the subscription."""
        request = Request("GET", f"the subscription {subscription}")
        path = f"/subscriptions/{segment(subscription)}"
        answer = self._client.send(request, path, {200}, api_version=SUBSCRIPTIONS_VERSION)
        try:
            return parsedate_to_datetime(answer.headers.get("Date", ""))
        except ValueError:
            raise arm_errors.garbage(request, "tells no time") from None


def _texts(value: Any) -> tuple[str, ...]:
    items: Iterable[Any] = value if isinstance(value, list) else ()
    return tuple(item for item in items if isinstance(item, str))
