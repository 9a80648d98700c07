"""The words that rows hold for the contract's enums: "sending" for PURCHASE_STATE_SENDING."""

from collections.abc import Mapping
from typing import Any

from imagestudio.catalog.v1 import ledger_pb2
from imagestudio.type.v1 import cost_pb2, job_pb2, purchase_pb2


def _words(enum: Any, prefix: str) -> dict[str, Any]:
    found = {name.removeprefix(prefix).lower(): number for name, number in enum.items()}
    return found | {"": 0}


STATES = _words(purchase_pb2.PurchaseState, "PURCHASE_STATE_")
ENDINGS = _words(purchase_pb2.PurchaseEnding, "PURCHASE_ENDING_")
CHARGED = _words(cost_pb2.Charged, "CHARGED_")
JOB_STATES = _words(job_pb2.JobState, "JOB_STATE_")
OUTPUT_STATES = _words(ledger_pb2.OutputState, "OUTPUT_STATE_")


def word(words: Mapping[str, Any], number: int) -> str:
    """Return the word for an enum's *number*; "" for the unspecified one."""
    return next((key for key, value in words.items() if value == number and number), "")
