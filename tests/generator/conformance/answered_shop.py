"""What shops share whose vendor's answer holds the pictures: the lab, and receipts in memory."""

import httpx

from imagestudio.type.v1 import job_pb2
from services.generator import models, orders
from services.generator import provider as seam
from services.generator.models import Model
from tests.generator.conformance.provider_suite import PROMPT, decoded
from tests.generator.memory_receipts import MemoryReceipts
from tests.lab.process import Lab

ID = "01890000-0000-7000-8000-000000000009"


def sold_by(vendor: str) -> dict[str, Model]:
    """The models of *vendor* by key."""
    return {model.key: model for model in models.EVERY if model.provider == vendor}


class AnsweredShop:
    """One vendor; a subclass says which *model* is asked where none is named, and its provider."""

    vendor: str
    model: str
    provider: seam.Provider

    def __init__(self, lab: Lab, http: httpx.AsyncClient) -> None:
        self.lab, self.http, self.receipts = lab, http, MemoryReceipts()
        self.sold = sold_by(self.vendor)

    def order(self, purchase_id=ID, key="", images=1, prompt=PROMPT, **more):
        key = key or self.model
        spec = job_pb2.JobSpec(prompt=prompt, models=[key], count=images, **more)
        return orders.order(self.sold[key], spec, 0, images, purchase_id)

    async def buy(self, order: seam.Order, report: seam.Report = lambda _s: None) -> seam.Ticket:
        return await self.provider.buy(order, self.receipts.sink(order.purchase_id), report)

    async def told(self, ticket: seam.Ticket) -> seam.Working | seam.Drawn | seam.Ended:
        return [seen async for seen in self.provider.follow(ticket)][-1]

    async def answered(self, answer: bytes) -> seam.Working | seam.Drawn | seam.Ended:
        """What is told of *answer*, once it is kept."""
        self.receipts.kept[ID] = answer
        return await self.told(seam.Ticket(f"receipt:{ID}"))

    def bytes_of(self, purchase_id: str, image: seam.Inline | seam.Link) -> bytes:
        assert isinstance(image, seam.Inline)
        return decoded(self.receipts.kept[purchase_id], image)

    def charges(self) -> list[tuple[str, str, int]]:
        return [(one["purchase_id"], one["model"], one["images"]) for one in self.lab.ledger()]

    def fault(self, kind: str) -> None:
        self.lab.faults([{"vendor": self.vendor, "where": "create", "kind": kind}])
