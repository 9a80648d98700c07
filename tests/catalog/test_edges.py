"""Guards of the edges that no worker of ours ever runs into; the simulation has the rest."""

import pytest

from chassis.errors import Precondition
from imagestudio.catalog.v1 import edge_pb2, ledger_pb2
from imagestudio.type.v1 import cost_pb2, purchase_pb2
from services.catalog import edges
from services.catalog.rows import Permits
from services.generator.standing import Terms
from tests.generator.modelled_changes import Asked
from tests.generator.modelled_ledger import PROVIDER, Ledger


@pytest.fixture
def ledger():
    """A ledger in memory with one purchase, that a worker has claimed."""
    limits = Permits(PROVIDER, 0, 0, lookup_possible=True, lookup_lag=1.0)
    ledger = Ledger(Terms(askable=True), [1], 1, limits)
    [answer] = ledger.apply([claim(ledger)])
    assert answer.claimed
    return ledger


def claim(ledger):
    [purchase_id] = ledger.purchases
    step = edge_pb2.ClaimEdge(worker_id="w1")
    return Asked(edge_pb2.Edge(purchase_id=purchase_id, claim=step))


def end(ledger, charged, *, following=False):
    [(purchase_id, row)] = ledger.purchases.items()
    step = edge_pb2.EndEdge(ending=purchase_pb2.PURCHASE_ENDING_FAILED, charged=charged)
    if following:
        step.next.CopyFrom(ledger_pb2.PlannedPurchase(purchase_id=ledger.new_id()))
    return Asked(edge_pb2.Edge(purchase_id=purchase_id, fence=row.fence, end=step))


def test_its_owners_second_claim_is_none(ledger):
    """Whoever got no answer to the first must not take the second's for leave to send."""
    [answer] = ledger.apply([claim(ledger)])
    assert (answer.claimed, answer.owner, answer.fence) == (False, "w1", 1)


@pytest.mark.parametrize("charged", [cost_pb2.CHARGED_YES, cost_pb2.CHARGED_UNKNOWN])
def test_an_order_without_a_ticket_never_ends_charged(ledger, charged):
    [fault] = ledger.apply([end(ledger, charged)])
    assert isinstance(fault, Precondition)
    assert "ends uncharged or is unclear" in fault.message


def test_a_new_attempt_follows_only_what_was_certainly_not_charged(ledger):
    [(purchase_id, row)] = ledger.purchases.items()
    ticket = edge_pb2.Edge(
        purchase_id=purchase_id, fence=row.fence, ticket=edge_pb2.TicketEdge(ticket="t1")
    )
    _, fault = ledger.apply([Asked(ticket), end(ledger, cost_pb2.CHARGED_UNKNOWN, following=True)])
    assert isinstance(fault, Precondition)
    assert "follows only what was certainly not charged" in fault.message
    assert len(ledger.purchases) == 1


def test_every_step_of_the_contract_is_an_edge():
    assert {*edges._STEPS, "claim", "adopt"} == {
        field.name for field in edge_pb2.Edge.DESCRIPTOR.oneofs_by_name["step"].fields
    }
