"""Settings: what Bicep sets is what the product reads, and the other way round; nothing that the plan refuses."""

import json
import re

import pytest
import yaml

from reconciler import settings
from reconciler.setting_table import SETTINGS
from reconciler.setting_values import SECRET_PREFIX
from tests.infra.bicep import FILES, INFRA, ROOT, bicep, default_of, literal, nodes, variable

MAIN = INFRA / "main.bicep"
FUNCTION_APP = INFRA / "modules/function-app.bicep"
PRODUCT = {setting.name: setting for setting in SETTINGS}
# Read by the platform or by a library, not by settings.py.
PLATFORM = {
    "AZURE_AUTHORITY_HOST": "azure-identity: where tokens of another cloud come from",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "host and worker: where telemetry goes",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "host and exporter: with which identity",
    "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "worker: configures OpenTelemetry",
    "OTEL_TRACES_SAMPLER": "the SDK: which spans are kept",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "the SDK: libraries that it is not to watch",
}
NOT_SET = {
    "AzureWebJobsStorage": "a connection string holds a key",
    "AzureWebJobsStorage__accountName": "the addresses are given, for any cloud",
    "ARM_CA_FILE": "the package has no such file; the text goes into ARM_CA_DATA",
}
# Flex Consumption rejects the deployment, or ignores them (learn: Flex Consumption plan, deprecated settings).
REFUSED_SETTINGS = {
    *("FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_WORKER_RUNTIME_VERSION", "FUNCTIONS_EXTENSION_VERSION"),
    *("FUNCTIONS_WORKER_PROCESS_COUNT", "FUNCTIONS_MAX_HTTP_CONCURRENCY"),
    *("FUNCTIONS_WORKER_DYNAMIC_CONCURRENCY_ENABLED", "SCM_DO_BUILD_DURING_DEPLOYMENT", "ENABLE_ORYX_BUILD"),
    *("WEBSITE_RUN_FROM_PACKAGE", "WEBSITE_CONTENTSHARE", "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING"),
    *("WEBSITE_CONTENTOVERVNET", "WEBSITE_SKIP_CONTENTSHARE_VALIDATION", "WEBSITE_VNET_ROUTE_ALL"),
    *("WEBSITE_DNS_SERVER", "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT", "WEBSITE_NODE_DEFAULT_VERSION"),
    *("WEBSITES_CONTAINER_START_TIME_LIMIT", "WEBSITE_TIME_ZONE", "TZ"),
}
REFUSED_SITE_CONFIG = {
    *("linuxFxVersion", "ftpsState", "use32BitWorkerProcess", "netFrameworkVersion", "functionAppScaleLimit"),
    *("functionsRuntimeScaleMonitoringEnabled", "preWarmedInstanceCount", "minimumElasticInstanceCount"),
    *("numberOfWorkers", "healthCheckPath", "alwaysOn", "appCommandLine", "pythonVersion"),
}


def configured() -> set[str]:
    """CLUSTERS or CLUSTERS_BLOB, whichever the parameters lead to."""
    node = bicep(MAIN).all("variable")["configuredClusters"].node
    return {key for found in nodes(node) if found.type == "object" for key in literal(found) if key.isupper()}


def explicit() -> set[str]:
    """Settings that a parameter of their own, or the deployment itself, leads to."""
    of_app = {*variable(FUNCTION_APP, "storageSettings"), *variable(FUNCTION_APP, "platformSettings")}
    return {*of_app, *variable(MAIN, "productSettings"), *configured()}


def by_parameter() -> set[str]:
    """Settings that the parameter ``settings`` takes."""
    return set(bicep(MAIN).type_properties("settingsType"))


def test_every_setting_in_bicep_is_read() -> None:
    """A misspelt setting is silently ignored, by the platform and by us."""
    assert explicit() - set(PRODUCT) == set(PLATFORM)
    assert by_parameter() <= set(PRODUCT)


def test_every_setting_of_the_product_can_be_set() -> None:
    """A new setting that nobody can reach. Those of the parameter ``settings`` are left out unless given: defaults hold."""
    assert set(PRODUCT) - explicit() - by_parameter() == set(NOT_SET)
    assert explicit() & by_parameter() == set()


def test_secrets_of_clusters_become_the_variables_that_clusters_may_name() -> None:
    """Another prefix, and no cluster could refer to its secret."""
    assert f"'{SECRET_PREFIX}${{secret.key}}'" in MAIN.read_text()
    assert "'@Microsoft.KeyVault(SecretUri=${secret.value})'" in MAIN.read_text()


@pytest.mark.parametrize(
    ("parameter", "setting"),
    [
        ("resyncSchedule", "RESYNC_SCHEDULE"),
        ("probeSchedule", "PROBE_SCHEDULE"),
        ("eventsQueueName", "LB_EVENTS_QUEUE"),
        ("reconcileQueueName", "RECONCILE_QUEUE"),
    ],
)
def test_defaults_are_the_products(parameter: str, setting: str) -> None:
    """Two defaults that drift apart: the documents name one."""
    assert default_of(MAIN, parameter) == PRODUCT[setting].default
    assert variable(MAIN, "productSettings")[setting] == parameter


def test_the_product_accepts_what_bicep_sets() -> None:
    """The shapes: addresses without a slash, the word for the identity, the clusters' JSON, the subnet policy's words."""
    readme = next(
        text
        for text in re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
        if text.startswith("clusters:")
    )
    storage = {
        name: value.replace("${storageAccountName}", "stpls1").replace(
            "${environment().suffixes.storage}", "core.usgovcloudapi.net"
        )
        for name, value in variable(FUNCTION_APP, "storageSettings").items()
    }
    assert not any("$" in value for value in storage.values())
    found = {"subscription": "00000000-0000-0000-0000-000000000001", "tag": "pls=on", "mode": "plan"}
    assert "{ clusters: clusters }, empty(discover) ? {} : { discover: discover }" in MAIN.read_text()
    environ = {
        **storage,
        **{name: PRODUCT[name].default for name in variable(MAIN, "productSettings")},
        "ARM_ENDPOINT": "https://management.usgovcloudapi.net",
        "CLUSTERS": json.dumps({"clusters": yaml.safe_load(readme)["clusters"], "discover": [found]}),
    }
    for word in re.findall(r"'(\w+)'", variable(MAIN, "productSettings")["SUBNET_POLICY"]):
        loaded = settings.load({**environ, "SUBNET_POLICY": word})
        assert loaded.limits.subnet_policy == word
        assert loaded.storage is not None
        assert loaded.storage.queue_uri == "https://stpls1.queue.core.usgovcloudapi.net"


def test_only_who_may_change_subnets_is_told_to() -> None:
    """`disable` without the right would refuse every claim on such a subnet with 403, instead of naming the command."""
    assert variable(MAIN, "productSettings")["SUBNET_POLICY"] == "manageSubnetPolicy ? 'disable' : 'report'"
    assert default_of(MAIN, "manageSubnetPolicy") is False


def test_nothing_that_the_plan_refuses() -> None:
    """One of them, or a colon in a name, and the deployment ends with 400 and another reason than this."""
    for path in FILES:
        words = set(re.findall(r"[A-Za-z_][\w]*", path.read_text()))
        assert words & REFUSED_SETTINGS == set(), path.name
    for name in explicit() | by_parameter():
        assert re.fullmatch(r"[A-Za-z0-9_]+", name), name
    assert bicep(FUNCTION_APP).all("resource")["app"].properties("properties", "siteConfig").keys() == {
        "minTlsVersion"
    }
    words = set(re.findall(r"\w+", FUNCTION_APP.read_text())) - {"pythonVersion"}  # our parameter
    assert words & REFUSED_SITE_CONFIG == set()


def test_identities_open_everything_and_keys_nothing() -> None:
    """Shared keys, passwords for publishing, plain HTTP, or old TLS."""
    account = bicep(INFRA / "modules/storage.bicep").all("resource")["account"].properties("properties")
    told = {name: literal(node) for name, node in account.items()}
    assert told["allowSharedKeyAccess"] is False
    assert told["allowBlobPublicAccess"] is False
    assert told["supportsHttpsTrafficOnly"] is True
    assert told["minimumTlsVersion"] == "TLS1_2"
    app = bicep(FUNCTION_APP).all("resource")["app"]
    assert literal(app.properties()["identity"])["type"] == "UserAssigned"
    assert literal(app.properties("properties")["httpsOnly"]) is True
    assert literal(app.properties("properties", "siteConfig")["minTlsVersion"]) == "1.2"
    assert literal(app.properties("properties")["keyVaultReferenceIdentity"]) == "identityId"
    storage = app.properties("properties", "functionAppConfig", "deployment", "storage")
    assert literal(storage["authentication"])["type"] == "UserAssignedIdentity"
    scm = bicep(FUNCTION_APP).all("resource")["noPasswords"]
    assert {name: literal(value) for name, value in scm.properties().items()} == {
        "name": "scm",
        "properties": {"allow": False},
        "dependsOn": ["appSettings"],
    }


def test_python_is_one_that_the_product_runs_on() -> None:
    """The package is compiled for one version; the default is that of `make package`."""
    makefile = (ROOT / "Makefile").read_text()
    default = default_of(MAIN, "pythonVersion")
    assert re.search(rf"PACKAGE_VERSION \?= {re.escape(default)}$", makefile, re.M)
