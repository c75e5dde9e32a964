"""The ledger of one run: which of its calls ask whether the lease is still ours."""

from __future__ import annotations

import inspect

import pytest

from reconciler.fencing import READS, LeaseLost, fenced
from reconciler.ports import Documents, Ledger
from tests.fakes.documents import MemoryDocuments
from tests.fakes.ledger import MemoryLedger


def calls(port: type) -> set[str]:
    """The names of a port's methods."""
    return {name for name, _ in inspect.getmembers(port, inspect.isfunction) if not name.startswith("_")}


CALLS = calls(Ledger)


def test_the_reads_are_calls_of_the_port() -> None:
    """A renamed read would be guarded, which costs a read of the row, and nobody would notice."""
    assert CALLS | calls(Documents) >= READS


def test_a_document_is_written_while_the_lease_is_ours() -> None:
    """And may be read afterwards."""
    documents = fenced(MemoryDocuments(), lambda: False)
    assert documents.read("prod") is None
    with pytest.raises(LeaseLost):
        documents.write("prod", {})


@pytest.mark.parametrize("name", sorted(CALLS - READS))
def test_every_other_call_is_refused_once_the_lease_is_lost(name: str) -> None:
    """A new write of the port is guarded without being named."""
    with pytest.raises(LeaseLost):
        getattr(fenced(MemoryLedger(), lambda: False), name)()


def test_reads_and_writes_go_through_while_the_lease_is_ours() -> None:
    """The ledger behind it is the real one."""
    ledger = MemoryLedger()
    fenced(ledger, lambda: True).write_lease(ledger.lease("prod"))
    assert ledger.lease("prod").version
    assert fenced(ledger, lambda: False).lease("prod") == ledger.lease("prod")
