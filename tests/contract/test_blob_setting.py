"""CLUSTERS_BLOB: read at each run, and a bad upload or a bad minute leaves the last good copy in force."""

import uuid

import pytest
from azure.storage.blob import BlobClient, BlobServiceClient

from reconciler.adapters.blobs import BlobSetting
from reconciler.adapters.storage import StorageAccount
from reconciler.cluster_settings import parse_clusters
from reconciler.errors import RetryLater, SettingsError
from reconciler.settings import StorageSettings
from sandbox.storage import Storage
from sandbox.tls import Authority
from tests.contract.azure_world import StaticToken
from tests.contract.forwarder import forwarding
from tests.contract.servers import Answer, Scripted

PATH = "prod/clusters.yaml"


def numbers(text: str) -> list[int]:
    """A stand-in for the clusters: anything that is parsed and can be wrong."""
    return [int(word) for word in text.split()]


@pytest.fixture
def container(azurite: Storage) -> str:
    name = f"c{uuid.uuid4().hex}"
    BlobServiceClient.from_connection_string(azurite.connection_string).create_container(name)
    return name


@pytest.fixture
def upload(azurite: Storage, container: str) -> BlobClient:
    return BlobClient.from_connection_string(azurite.connection_string, container, PATH)


def setting(connection_string: str, location: str) -> BlobSetting[list[int]]:
    return BlobSetting(
        StorageAccount(StorageSettings(connection_string=connection_string)), location, numbers
    )


def test_a_blob_is_read_and_read_again_when_it_changes(
    azurite: Storage, container: str, upload: BlobClient
) -> None:
    """By container and path; an upload is in force at the next read."""
    subject = setting(azurite.connection_string, f"{container}/{PATH}")
    upload.upload_blob("1 2")
    assert (subject.read().value, subject.read().warning) == ([1, 2], "")
    upload.upload_blob("\ufeff3", overwrite=True)
    assert subject.read().value == [3]


def test_a_blob_may_be_given_by_its_address(azurite: Storage, upload: BlobClient) -> None:
    """Of the same account: with its key."""
    upload.upload_blob("7")
    assert setting(azurite.connection_string, upload.url).read().value == [7]


def test_a_blob_s_address_needs_no_storage_account(
    script: Scripted, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan from a laptop, or from a pipeline: the identity signs in to whatever account that is."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_path))
    headers = {
        "Content-Range": "bytes 0-0/1",
        "Content-Type": "text/plain",
        "ETag": '"1"',
        "x-ms-blob-type": "BlockBlob",
    }
    script.answers[f"/clusters/{PATH}"] = Answer(206, b"7", headers)
    account = StorageAccount(StorageSettings(), StaticToken())
    assert BlobSetting(account, f"{script.url}/clusters/{PATH}", numbers).read().value == [7]
    assert script.seen[0][2]["Authorization"] == "Bearer secret"


def test_an_unchanged_blob_is_not_sent_again(azurite: Storage, container: str, upload: BlobClient) -> None:
    """Each run asks; hundreds of clusters are not parsed each time."""
    upload.upload_blob("1")
    parsed: list[str] = []
    account = StorageAccount(StorageSettings(connection_string=azurite.connection_string))
    subject = BlobSetting(account, f"{container}/{PATH}", parsed.append)
    for _ in range(3):
        subject.read()
    assert parsed == ["1"]


def test_a_bad_upload_leaves_the_last_good_copy_in_force(
    azurite: Storage, container: str, upload: BlobClient
) -> None:
    """With the mistakes as a warning, at each read, until it is mended."""
    subject = setting(azurite.connection_string, f"{container}/{PATH}")
    upload.upload_blob("1")
    subject.read()
    for content in (b"x", b"\xff\xfe"):
        upload.upload_blob(content, overwrite=True)
        for _ in range(2):
            reading = subject.read()
            assert reading.value == [1]
            assert reading.warning.startswith("CLUSTERS_BLOB: ")
            assert f"last good copy of {container}/{PATH} stays in force" in reading.warning
    upload.upload_blob("1", overwrite=True)
    assert subject.read().warning == ""


def test_a_blob_that_is_gone_leaves_the_last_good_copy_in_force(
    azurite: Storage, container: str, upload: BlobClient
) -> None:
    """Deleting the list must not look like deleting the clusters."""
    subject = setting(azurite.connection_string, f"{container}/{PATH}")
    upload.upload_blob("1")
    subject.read()
    upload.delete_blob()
    assert subject.read().value == [1]
    assert "there is no blob" in subject.read().warning


def test_storage_that_fails_leaves_the_last_good_copy_in_force(azurite: Storage, upload: BlobClient) -> None:
    """And says what failed."""
    upload.upload_blob("1")
    endpoint = azurite.endpoints["Blob"]
    with forwarding(endpoint) as forwarder:
        through = azurite.connection_string.replace(endpoint, forwarder.url)
        subject = setting(through, f"{upload.container_name}/{PATH}")
        subject.read()
        forwarder.fail(503)
        reading = subject.read()
    assert reading.value == [1]
    assert "reading the blob" in reading.warning


def test_without_a_good_copy_there_is_nothing_to_fall_back_to(azurite: Storage, upload: BlobClient) -> None:
    """The first read raises what is wrong: missing, mistaken, or not to be reached."""
    subject = setting(azurite.connection_string, f"{upload.container_name}/{PATH}")
    with pytest.raises(SettingsError, match="there is no blob"):
        subject.read()
    upload.upload_blob("x y")
    for _ in range(2):
        with pytest.raises(SettingsError, match="CLUSTERS_BLOB: invalid literal"):
            subject.read()
    with forwarding(azurite.endpoints["Blob"]) as forwarder:
        through = azurite.connection_string.replace(azurite.endpoints["Blob"], forwarder.url)
        forwarder.fail("reset-before")
        with pytest.raises(RetryLater):
            setting(through, f"{upload.container_name}/{PATH}").read()


def test_the_clusters_of_a_blob_have_their_mistakes_named(azurite: Storage, upload: BlobClient) -> None:
    """The parser of CLUSTERS, a line per mistake."""
    upload.upload_blob("[{name: prod}]")
    account = StorageAccount(StorageSettings(connection_string=azurite.connection_string))
    subject = BlobSetting(account, f"{upload.container_name}/{PATH}", parse_clusters)
    with pytest.raises(SettingsError, match="CLUSTERS_BLOB: "):
        subject.read()
