"""The composition root of the doctor."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from reconciler import wiring
from reconciler.adapters import function_app
from reconciler.adapters.arm import ArmAzure
from reconciler.adapters.arm_rights import ArmRights
from reconciler.adapters.documents import BlobDocuments
from reconciler.adapters.event_topic import EventTopic
from reconciler.adapters.kubernetes_access import Means
from reconciler.adapters.storage import StorageAccount, translated
from reconciler.doctor_rounds import Patient
from reconciler.model import ClusterConfig
from reconciler.settings import Settings


def patient(
    settings: Settings, out: wiring.Outward, configs: Sequence[ClusterConfig], app_url: str, app_key: str
) -> Patient:
    """Everything that the doctor looks at. Nothing is opened before it is looked at."""
    clock = wiring.SystemClock()
    audience = (settings.arm_audience or settings.arm_endpoint).rstrip("/")
    assert isinstance(out.azure, ArmAzure)
    return Patient(
        configs=configs,
        limits=settings.limits,
        clock=clock,
        rights=ArmRights(out.azure.client, lambda: out.identity.get_token(f"{audience}/.default").token),
        azure=out.azure,
        cluster_of=wiring.Clusters(
            settings.kubernetes_timeout, clock.now, Means(out.tokens, out.aks.endpoint)
        ),
        ledger=wiring.ledger(settings) if settings.storage else None,
        queue=partial(_waiting, settings) if settings.storage else None,
        write_back=settings.write_back,
        documents=BlobDocuments(StorageAccount(wiring.storage_of(settings))) if settings.storage else None,
        topic=EventTopic(settings.events_topic_endpoint, out.identity, out.ca_file).admits
        if settings.events_topic_endpoint
        else None,
        app=partial(function_app.answers, app_url, app_key) if app_url else None,
    )


def _waiting(settings: Settings) -> int:
    """About how many messages the work queue holds."""
    queue = StorageAccount(wiring.storage_of(settings)).queues.get_queue_client(settings.reconcile_queue)
    with translated(f"reading the queue {settings.reconcile_queue}"):
        return queue.get_queue_properties().approximate_message_count or 0
