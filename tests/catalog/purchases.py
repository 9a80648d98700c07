"""Builds what the ledger's tests ask for: jobs to admit, edges to take."""

import uuid

from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2

from chassis import errors
from imagestudio.catalog.v1 import edge_pb2, ledger_pb2, ledger_service_pb2
from imagestudio.type.v1 import cost_pb2, image_pb2, job_pb2, purchase_pb2
from services.catalog import admit
from services.catalog.ledger import Ledger
from services.catalog.news import News

Edge = edge_pb2.Edge
OK = code_pb2.OK


class Silence:
    """A bus that nobody hears: what is true does not depend on it."""

    connected = False

    def __init__(self):
        self.published, self.announced, self.said = [], [], set()

    async def publish(self, subject, payload):
        self.published.append((subject, payload))

    async def announce(self, subject, payload, *, once, headers=None):
        if once not in self.said:  # as NATS, the same within its window
            self.said.add(once)
            self.announced.append((subject, payload.decode()))
        return False


def make_ledger(pool, public_url="https://studio.test", publish_wait=0.0):
    news = News(Silence(), pool, public_url)
    return Ledger(pool, news, publish_wait), news


def asking(count=1, *, reserve=0, request_id=None, prompt="a lighthouse", provider="sketch"):
    purchases = [
        ledger_pb2.PlannedPurchase(
            purchase_id=str(uuid.uuid4()),
            provider=provider,
            model_key="sketch",
            ordinal=ordinal,
            fingerprint="f" * 64,
            reserved_usd_micros=reserve,
        )
        for ordinal in range(count)
    ]
    return ledger_service_pb2.AdmitRequest(
        spec=job_pb2.JobSpec(prompt=prompt, models=["sketch"], count=count),
        request_id=request_id or str(uuid.uuid4()),
        fingerprint="a" * 64,
        purchases=purchases,
        estimate=job_pb2.JobEstimate(reserved=cost_pb2.Cost(usd_micros=reserve * count)),
    )


async def admitted(pool, user_id, count=1, **asked):
    request = asking(count, **asked)
    await admit.admit(pool, request, user_id, None)
    return [purchase.purchase_id for purchase in request.purchases]


def claim(purchase_id, worker="w1"):
    step = edge_pb2.ClaimEdge(worker_id=worker, time_limit=Duration(seconds=60))
    return Edge(purchase_id=purchase_id, claim=step)


def ticket(purchase_id, fence, reference=None):
    step = edge_pb2.TicketEdge(ticket=reference or f"receipt:{purchase_id}")
    return Edge(purchase_id=purchase_id, fence=fence, ticket=step)


def drawn(purchase_id, fence, count=1, cost=0, estimate=None, ordered=0):
    outputs = [
        ledger_pb2.PurchaseOutput(index=index, source=f"receipt:{purchase_id}#0-{index}")
        for index in range(count)
    ]
    step = edge_pb2.DrawnEdge(outputs=outputs, cost=cost_pb2.Cost(usd_micros=cost, basis=2))
    if estimate is not None:
        step.estimate.usd_micros = estimate
    step.ordered_count = ordered
    return Edge(purchase_id=purchase_id, fence=fence, drawn=step)


def hash_of(purchase_id, index=0):
    return uuid.uuid5(uuid.UUID(purchase_id), str(index)).hex * 2


def keep(purchase_id, fence, index=0, image_hash=None, *, to_publish=False):
    image_hash = image_hash or hash_of(purchase_id, index)
    step = edge_pb2.KeepEdge(
        output_index=index,
        to_publish=to_publish,
        image=ledger_pb2.KeptImage(image_hash=image_hash, seed=7),
        file=ledger_pb2.FileRecord(
            image_hash=image_hash,
            link=image_hash[:26],
            media_type="image/png",
            size_bytes=100,
            size=image_pb2.PixelSize(width=64, height=64),
            readable=True,
        ),
    )
    return Edge(purchase_id=purchase_id, fence=fence, keep=step)


def url_of(purchase_id, index=0):
    link = hash_of(purchase_id, index)[:26]
    return f"https://cdn.test/studio/image/upload/v7/{link}.png"


def publish(purchase_id, fence, index=0, url=None):
    url = url or url_of(purchase_id, index)
    step = edge_pb2.PublishEdge(
        output_index=index, cdn_url=url, thumbnail_url=url.replace("/v7/", "/w_512/v7/")
    )
    return Edge(purchase_id=purchase_id, fence=fence, publish=step)


def end(purchase_id, fence, ending="FAILED", charged="NO", next_=None):
    step = edge_pb2.EndEdge(
        ending=purchase_pb2.PurchaseEnding.Value(f"PURCHASE_ENDING_{ending}"),
        charged=cost_pb2.Charged.Value(f"CHARGED_{charged}"),
        next=next_,
    )
    return Edge(purchase_id=purchase_id, fence=fence, end=step)


def unclear(purchase_id, fence, possible=True):
    step = edge_pb2.UnclearEdge(lookup_possible=possible)
    return Edge(purchase_id=purchase_id, fence=fence, unclear=step)


def absent(purchase_id, fence, next_=None):
    step = edge_pb2.SettleEdge(absent=edge_pb2.SettleEdge.Absent(next=next_))
    return Edge(purchase_id=purchase_id, fence=fence, settle=step)


def not_askable(purchase_id, fence):
    step = edge_pb2.SettleEdge(not_askable=edge_pb2.SettleEdge.NotAskable())
    return Edge(purchase_id=purchase_id, fence=fence, settle=step)


def found(purchase_id, fence, *tickets, alike=False, unproven=False):
    what = edge_pb2.SettleEdge.Found(tickets=tickets, alike=alike, unproven=unproven)
    step = edge_pb2.SettleEdge(found=what)
    return Edge(purchase_id=purchase_id, fence=fence, settle=step)


def fail(purchase_id, fence):
    return Edge(purchase_id=purchase_id, fence=fence, fail=edge_pb2.FailEdge())


def park(purchase_id, fence):
    return Edge(purchase_id=purchase_id, fence=fence, park=edge_pb2.ParkEdge())


def warn(purchase_id, fence, reason="VAULT_UNAVAILABLE"):
    error = errors.to_status(errors.Unavailable(reason, "Mount its disk."))
    return Edge(purchase_id=purchase_id, fence=fence, warn=edge_pb2.WarnEdge(error=error))


def withheld(purchase_id, fence, reason="VAULT_UNAVAILABLE"):
    error = errors.to_status(errors.Unavailable(reason, "Mount its disk."))
    step = edge_pb2.ReleaseEdge(error=error)
    return Edge(purchase_id=purchase_id, fence=fence, release=step)


def next_attempt(reserve=0):
    return ledger_pb2.PlannedPurchase(
        purchase_id=str(uuid.uuid4()),
        provider="sketch",
        model_key="sketch",
        fingerprint="f" * 64,
        reserved_usd_micros=reserve,
    )


def beat(worker, **limits):
    limit = ledger_pb2.ProviderLimit(provider="sketch", lookup_possible=True, **limits)
    return ledger_service_pb2.HeartbeatRequest(worker_id=worker, limits=[limit])


async def taken(ledger, *edges):
    """Take edges that must all succeed; return the purchases after them."""
    results = await ledger.apply(edges)
    for result in results:
        assert result.status.code == OK, result.status.message
    return [result.purchase for result in results]


async def ended_unclear(ledger, purchase_id):
    """Let nobody ever tell whether a planned purchase was charged."""
    await taken(ledger, claim(purchase_id), unclear(purchase_id, 1, possible=False))
    await taken(ledger, not_askable(purchase_id, 1))


async def kept(ledger, purchase_id, cost=0):
    """Let a planned purchase bring its picture."""
    await taken(ledger, claim(purchase_id), ticket(purchase_id, 1))
    await taken(ledger, drawn(purchase_id, 1, cost=cost), keep(purchase_id, 1))


async def refused(ledger, edge):
    """Take an edge that must be refused; return the reason."""
    [result] = await ledger.apply([edge])
    assert result.status.code != OK
    return errors.from_status(result.status).reason
