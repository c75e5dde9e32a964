"""The composition root: settings in, a working whole out. The only module that knows all adapters."""

from __future__ import annotations

import gc
import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reconciler import context, telemetry
from reconciler.adapters import authority
from reconciler.adapters.aks import ArmAks
from reconciler.adapters.arm import ArmAccess, ArmAzure
from reconciler.adapters.blobs import BlobSetting
from reconciler.adapters.cluster_tokens import Tokens
from reconciler.adapters.credentials import Credential, credential
from reconciler.adapters.documents import BlobDocuments
from reconciler.adapters.event_topic import EventTopic
from reconciler.adapters.kubernetes import KubernetesCluster
from reconciler.adapters.kubernetes_access import Means
from reconciler.adapters.queues import StorageQueue
from reconciler.adapters.storage import StorageAccount
from reconciler.adapters.tables import TableLedger
from reconciler.api import Api
from reconciler.cluster_settings import parse_clusters
from reconciler.dashboard.board import Board
from reconciler.errors import ReconcilerError, SettingsError
from reconciler.gate import Gate
from reconciler.model import ApiAccess, ClusterConfig, ClusterList
from reconciler.ports import Aks, Azure, Cluster, Ledger
from reconciler.publishing import Publishing
from reconciler.reconcile import Engine
from reconciler.resolution import Resolution, UnresolvedCluster
from reconciler.retention import Retention
from reconciler.settings import Settings, StorageSettings, load
from reconciler.tracing import traced, watch
from reconciler.worker import Worker

log = logging.getLogger("reconciler")
# A kubeconfig that was replaced on disk is in force after this many seconds at the latest.
REOPEN_SECONDS = 600.0
# Objects made between two searches for cycles. What is read, parsed and planned are trees of many objects and
# no cycles: with Python's 700 a third of a large cluster's run went into searching them.
COLLECT_AFTER = 50_000


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        """The present, in UTC."""
        return datetime.now(UTC)


class Clusters:
    """Opens clusters; keeps their connections for a while, and lets go of those that nobody asks for any more."""

    def __init__(
        self, timeout_seconds: float, clock: Callable[[], datetime], means: Means | None = None
    ) -> None:
        self._timeout = timeout_seconds
        self._clock = clock
        self._means = means
        self._open: dict[ApiAccess, tuple[datetime, KubernetesCluster]] = {}
        self._swept = clock()
        self._lock = threading.Lock()

    def __call__(self, config: ClusterConfig) -> Cluster:
        """The cluster's API; one that tells why, where the cluster is not resolved."""
        if config.unresolved:
            return UnresolvedCluster(config.unresolved)
        with self._lock:
            now = self._clock()
            opened = self._open.get(config.access)
            if opened is None or _is_old(opened[0], now):
                self._sweep(now)
                opened = (now, KubernetesCluster(config.access, self._timeout, means=self._means))
                self._open[config.access] = opened
            return opened[1]

    def _sweep(self, now: datetime) -> None:
        """A document may bring a new kubeconfig or address every day; each old one would keep its connections."""
        if _is_old(self._swept, now):
            self._open = {access: found for access, found in self._open.items() if not _is_old(found[0], now)}
            self._swept = now


def _is_old(since: datetime, now: datetime) -> bool:
    return (now - since).total_seconds() > REOPEN_SECONDS


def new_id() -> str:
    """A fresh id for runs and lease holders."""
    return uuid.uuid4().hex[:16]


@dataclass(frozen=True, slots=True)
class Outward:
    """Azure as this process's identity sees it, its tokens for clusters, and the clusters as configured now.

    ``ca_file`` is the authority of Azure's certificates, "" where it is a public one. Nothing is opened before it is
    used. One is enough for a process: a second one would ask for tokens and for AKS clusters again.
    """

    azure: Azure
    aks: Aks
    tokens: Tokens
    identity: Credential
    ca_file: str
    configs: Resolution


def outward(settings: Settings) -> Outward:
    """What the settings point to, through one pool of connections."""
    ca_file = settings.arm_ca_file or (settings.arm_ca_data and authority.file_of(settings.arm_ca_data))
    access = ArmAccess(
        endpoint=settings.arm_endpoint,
        audience=settings.arm_audience,
        ca_file=ca_file,
        connections=settings.max_writes + 16,
    )
    identity = credential(client_id=settings.azure_client_id, ca_file=ca_file)
    azure = ArmAzure(access, identity)
    aks = traced(ArmAks(azure.client), "arm", telemetry.configured())
    tokens = Tokens(lambda scope: identity.get_token(scope))
    return Outward(azure, aks, tokens, identity, ca_file, configs_of(settings, aks))


def engine(settings: Settings, ledger: Ledger | None, out: Outward) -> Engine:
    """The engine; without a ledger it can only plan."""
    gc.set_threshold(COLLECT_AFTER)
    clock = SystemClock()
    made = Engine(
        cluster_of=Clusters(settings.kubernetes_timeout, clock.now, Means(out.tokens, out.aks.endpoint)),
        azure_of=lambda config: out.azure,
        ledger=ledger,
        pool=context.Threads(settings.max_writes + 16, thread_name_prefix="reconciler"),
        gate=Gate(settings.max_writes, settings.max_writes_per_network),
        limits=settings.limits,
        clock=clock,
        write_back=settings.write_back,
    )
    return watch(made, telemetry.configured())


def storage_of(settings: Settings) -> StorageSettings:
    """The storage account's settings. Raises SettingsError where none is configured."""
    if settings.storage is None:
        raise SettingsError(
            "AzureWebJobsStorage: is not set; the ledgers and queues live in that storage account"
        )
    return settings.storage


def ledger(settings: Settings) -> Ledger:
    """The ledger, to be read: no table is created. Raises SettingsError where no storage is configured."""
    return TableLedger(StorageAccount(storage_of(settings)), missing_is_empty=True)


def planning_engine(settings: Settings, out: Outward) -> Engine:
    """An engine that plans. It reads the ledger where storage is configured, and does without elsewhere."""
    return engine(settings, ledger(settings) if settings.storage else None, out)


def configs_of(settings: Settings, aks: Aks) -> Resolution:
    """The clusters as configured now, those of AKS resolved and found."""
    return Resolution(_listed(settings), aks, SystemClock().now, settings.aks_refresh_seconds)


def _listed(settings: Settings) -> Callable[[], ClusterList]:
    """The clusters as written: the setting's, or the blob's, read at each call."""
    if not settings.clusters_blob:
        return lambda: settings.clusters
    account = StorageAccount(settings.storage or StorageSettings(client_id=settings.azure_client_id))
    blob = traced(
        BlobSetting(account, settings.clusters_blob, parse_clusters), "blobs", telemetry.configured()
    )

    def read() -> ClusterList:
        reading = blob.read()
        if reading.warning:
            log.warning("%s", reading.warning)
        return reading.value

    return read


def report_mistakes(environ: Mapping[str, str]) -> None:
    """Log at start what is wrong with the settings; each function says it again when it is called."""
    try:
        load(environ)
    except SettingsError as error:
        log.error("The settings are wrong:\n%s", error)


@dataclass(frozen=True, slots=True)
class App:
    """Everything the functions call."""

    worker: Worker
    api: Api
    board: Board


def app(settings: Settings, out: Outward | None = None) -> App:
    """The whole, tables and queue created. Raises SettingsError or OutsideError."""
    account = StorageAccount(storage_of(settings))
    ledger, queue = TableLedger(account), StorageQueue(account, settings.reconcile_queue)
    ledger.create_tables()
    queue.create()
    out = out or outward(settings)
    made, configs = engine(settings, ledger, out), out.configs
    told = made.ledger or ledger  # the same, its calls told
    documents = traced(BlobDocuments(account), "blobs", made.telemetry)
    worker = Worker(
        engine=made,
        ledger=told,
        queue=traced(queue, "queues", made.telemetry),
        configs=configs,
        new_id=new_id,
        lease_seconds=settings.lease_seconds,
        retention=Retention(ledger, timedelta(days=settings.history_days)),
        documents=documents,
        publishing=publishing(settings, account, out),
    )
    board = Board(told, documents, configs.at_hand, made.pool)
    return App(worker, Api(worker, configs.problems, configs.renew), board)


def publishing(settings: Settings, account: StorageAccount, out: Outward) -> Publishing | None:
    """What publishes our own events; None where no topic is set."""
    if not settings.events_topic_endpoint:
        return None
    topic = EventTopic(settings.events_topic_endpoint, out.identity, out.ca_file)
    told = telemetry.configured()
    records = traced(BlobDocuments(account, "published", "record of published events"), "blobs", told)
    return Publishing(traced(topic, "topic", told), records, SystemClock())


class Lazy:
    """The app, made at first use and once; a failure is raised at each use until it is mended.

    Who waits while somebody tries shares the failure: a try takes long where storage hangs, and they would come one
    after the other.
    """

    def __init__(self, make: Callable[[], App]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._app: App | None = None
        self._failure: ReconcilerError | None = None  # of the last try

    def __call__(self) -> App:
        """The app. Raises SettingsError or OutsideError."""
        before = self._failure
        with self._lock:
            if self._failure is not None and self._failure is not before:
                raise self._failure
            return self._app or self._made()

    def _made(self) -> App:
        try:
            self._app, self._failure = self._make(), None
        except ReconcilerError as error:
            self._failure = error
            raise
        return self._app
