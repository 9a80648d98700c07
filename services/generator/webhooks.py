"""Takes the webhooks of providers: verified, told to whoever waits, stored, and judged if stray."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chassis import faults
from chassis.channel import Peer
from chassis.errors import Missing, Unauthenticated, Unavailable
from imagestudio.catalog.v1 import ledger_service_pb2, ledger_service_pb2_grpc
from imagestudio.generator.v1 import generator_service_pb2 as pb
from services.generator import provider as seam
from services.generator.hints import Hints
from services.generator.vendor import Vendor

_TIMEOUT = 3.0  # seconds; the provider gives us few, and comes again


@dataclass(slots=True, kw_only=True)
class Webhooks:
    """
    Opens webhooks of *vendors*, and keeps them in the inbox of *catalog*.

    *notice* has the strays of a provider judged.
    """

    vendors: Mapping[str, Vendor]
    hints: Hints
    catalog: Peer
    ledger: "ledger_service_pb2_grpc.LedgerServiceAsyncStub"
    notice: Callable[[str], None] = lambda _provider: None

    async def receive(self, request: pb.ReceiveWebhookRequest) -> bool:
        """Take a webhook; False where it was stored before."""
        opened = await self._opened(request)
        await self.hints.tell(request.provider, opened.reference)
        stored = ledger_service_pb2.StoreWebhookRequest(
            webhook_id=opened.webhook_id,
            provider=request.provider,
            purchase_id=request.purchase_id,
            ticket=opened.reference,
        )
        answer = await self.catalog.ask(self.ledger.StoreWebhook, stored, timeout=_TIMEOUT)
        if answer.stray:
            self.notice(request.provider)
        return not answer.duplicate

    async def _opened(self, request: pb.ReceiveWebhookRequest) -> seam.Webhook:
        vendor = self.vendors.get(request.provider)
        if vendor is None or not isinstance(vendor.provider, seam.SendsWebhooks):
            raise Missing(
                "RESOURCE_UNKNOWN",
                f"No provider {request.provider[:80]!r} that sends webhooks is set up here.",
                metadata={"name": request.provider[:80]},
            )
        headers = {name.lower(): value for name, value in request.headers.items()}
        faults.point("webhook.before_opening")  # which may ask for the secret
        try:
            opened = await vendor.provider.open_webhook(headers, request.body)
        except seam.Forged as error:
            raise Unauthenticated(
                "WEBHOOK_FORGED",
                f"This webhook is not signed by {vendor.name}, or not within the last minutes.",
                metadata={"provider": vendor.name},
            ) from error
        except seam.ProviderError as error:
            raise Unavailable(
                "PROVIDER_UNAVAILABLE",
                "Webhooks cannot be verified now; send it again.",
                metadata={"provider": vendor.name},
                retry_after=error.retry_after or 1.0,
            ) from error
        faults.point("webhook.after_opening")
        return opened
