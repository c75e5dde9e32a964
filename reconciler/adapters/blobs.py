"""The list of clusters in a blob, read at each run; a bad upload or a bad minute does not stop the rest.

The last good copy is kept in the memory of the process. While the blob cannot be read, or what is in it
has mistakes, that copy stays in force and a warning says why.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError

from reconciler.adapters.storage import StorageAccount, translated
from reconciler.errors import NotFound, OutsideError, Rejected, SettingsError

T = TypeVar("T")

LONGEST = 4 * 1024 * 1024  # bytes: thousands of clusters
_NOT_MODIFIED = 304


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What is in force, and a sentence where that is not what the blob says now ("" where it is)."""

    value: T
    warning: str = ""


class BlobSetting(Generic[T]):
    """A setting that lives in a blob: ``container/path`` of the account, or an address (with a SAS or without).

    ``parse`` makes the value of the text and raises ValueError with the mistakes, a line each. Safe to be
    shared by threads.
    """

    def __init__(
        self, account: StorageAccount, location: str, parse: Callable[[str], T], name: str = "CLUSTERS_BLOB"
    ) -> None:
        self._client = account.blob(location)
        self._parse = parse
        self._name = name
        self._shown = location.partition("?")[0]  # what follows may be a signature
        self._lock = threading.Lock()
        self._etag = ""
        self._good: tuple[T] | None = None
        self._mistakes = ""

    def read(self) -> Reading[T]:
        """What is in force now. While there is no good copy yet, raises what is in its way.

        Raises SettingsError where the blob is missing or has mistakes, else the kinds of OutsideError.
        """
        with self._lock:
            try:
                self._refresh()
            except NotFound as error:
                return self._kept(SettingsError(f"{self._name}: there is no blob {self._shown}"), error)
            except OutsideError as error:
                return self._kept(error, error)
            if self._mistakes or self._good is None:
                return self._kept(SettingsError(self._mistakes), None)
            return Reading(self._good[0])

    def _kept(self, problem: Exception, cause: Exception | None) -> Reading[T]:
        if self._good is None:
            raise problem from cause
        return Reading(self._good[0], f"{problem}\nThe last good copy of {self._shown} stays in force.")

    def _refresh(self) -> None:
        """Fetch the blob if it has changed, and take it over if it has no mistakes."""
        fetched = self._fetch()
        if fetched is None:
            return
        content, self._etag = fetched
        try:
            self._good = (self._parse(content.decode("utf-8-sig")),)
            self._mistakes = ""
        except ValueError as error:
            self._mistakes = "\n".join(f"{self._name}: {line}" for line in str(error).splitlines())

    def _fetch(self) -> tuple[bytes, str] | None:
        """The content and its ETag, or None where it is as it was."""
        condition: dict[str, Any] = {}
        if self._etag:
            condition = {"etag": self._etag, "match_condition": MatchConditions.IfModified}
        with translated(f"reading the blob {self._shown}"):
            try:
                answer = self._client.download_blob(**condition)
                if answer.size > LONGEST:
                    raise Rejected(f"the blob {self._shown} has {answer.size} bytes, more than {LONGEST}")
                return answer.readall(), str(answer.properties.etag)
            except HttpResponseError as error:
                if error.status_code == _NOT_MODIFIED:
                    return None
                raise
