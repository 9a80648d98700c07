"""The ledger takes a ticket once."""

from datetime import UTC, datetime

import pytest

from lab.charges import Charge, Charges

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def charge(vendor="replicate", ticket="a"):
    return Charge(
        vendor=vendor, model="m", ticket=ticket, images=1, usd=0.1 + 0.2, purchase_id=None, at=NOW
    )


def test_a_ticket_is_charged_once_at_each_vendor():
    charges = Charges()
    charges.add(charge())
    charges.add(charge(vendor="other"))
    charges.add(charge(ticket="b"))
    with pytest.raises(ValueError, match="replicate charged a before"):
        charges.add(charge())

    assert [one["ticket"] for one in charges.as_json()] == ["a", "a", "b"]


def test_money_is_told_in_six_decimals():
    charges = Charges()
    charges.add(charge())

    assert charges.as_json()[0]["usd"] == 0.3
