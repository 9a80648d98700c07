"""The page on adding a provider: what stands there is a provider like any other."""

import base64
import json
import re
import sys
from importlib import util
from pathlib import Path

import httpx
import pytest

from imagestudio.type.v1 import job_pb2
from services.generator import orders, vendors
from services.generator import provider as seam
from services.generator.models import files
from tests import patient
from tests.generator.conformance.answered_shop import ID
from tests.generator.conformance.provider_suite import PROMPT, ProviderSuite, decoded
from tests.generator.memory_receipts import MemoryReceipts

PAGE = Path(__file__).parents[3] / "docs" / "adding-a-provider.md"
BLOCKS = dict(re.findall(r"(?ms)^```\w+ (\S+)\n(.*?)^```$", PAGE.read_text()))
ADAPTER, TERMS = "services/generator/providers/acme.py", "services/generator/vendors.py"
PICTURE = b"picture" * 30


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    """The page's adapter as a module."""
    path = tmp_path_factory.mktemp("page") / "acme.py"
    path.write_text(BLOCKS[ADAPTER])
    spec = util.spec_from_file_location("acme", path)
    module = sys.modules["acme"] = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["acme"]


class AcmeShop:
    """The page's adapter on a wire that gives the page's answer."""

    def __init__(self, acme, folder: Path) -> None:
        (folder / "acme-1.json").write_text(BLOCKS["services/generator/models/acme/acme-1.json"])
        [self.model] = files.models("acme", folder)
        text = BLOCKS["answer"].replace("…", base64.b64encode(PICTURE).decode())
        self.answer = httpx.Response(200, content=text.encode())
        self.sent, self.named = [], []  # orders, and the purchases that they are for
        self.receipts = MemoryReceipts()
        wire = httpx.MockTransport(self._answer)
        self.http = patient.AsyncClient(transport=wire, base_url="https://acme.example")
        self.provider = acme.Acme(http=self.http, receipts=self.receipts)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(json.loads(request.content))
        self.named.append(request.headers["x-request-id"])
        return httpx.Response(self.answer.status_code, content=self.answer.content)

    def order(self, purchase_id=ID):
        spec = job_pb2.JobSpec(prompt=PROMPT, models=["acme-1"], count=1, aspect="16:9")
        return orders.order(self.model, spec, 0, 1, purchase_id)

    async def buy(self, order: seam.Order, report: seam.Report = lambda _s: None) -> seam.Ticket:
        return await self.provider.buy(order, self.receipts.sink(order.purchase_id), report)

    def bytes_of(self, purchase_id: str, image: seam.Inline) -> bytes:
        return decoded(self.receipts.kept[purchase_id], image)


@pytest.fixture
async def shop(acme, tmp_path):
    found = AcmeShop(acme, tmp_path)
    yield found
    await found.http.aclose()


class TestThePage(ProviderSuite):
    async def test_an_order_is_as_its_entry_says_and_its_answer_as_it_was_drawn(self, shop):
        ticket = await shop.buy(shop.order())
        [drawn] = [seen async for seen in shop.provider.follow(ticket)]
        assert shop.sent == [{"model": "acme-1", "prompt": PROMPT, "size": "1344x768"}]
        assert shop.named == [ID]  # by which the lab's charges are held against ours
        assert [shop.bytes_of(ID, image) for image in drawn.images] == [PICTURE]
        assert drawn.cost == shop.model.price

    @pytest.mark.parametrize(
        ("status", "error"),
        [(400, seam.Refused), (401, seam.NotKnown), (402, seam.NoCredit), (429, seam.Busy),
         (500, seam.Unclear), (302, seam.Unclear)],
    )  # fmt: skip
    async def test_a_status_says_whether_money_may_have_moved(self, shop, status, error):
        shop.answer = httpx.Response(status, content=b"no")
        with pytest.raises(seam.ProviderError) as raised:
            await shop.buy(shop.order())
        assert type(raised.value) is error
        assert len(shop.sent) == 1

    @pytest.mark.parametrize("answer", [b"{}", b"<html>", b'{"pictures": [{"b64": "short"}]}'])
    async def test_an_answer_that_makes_no_sense_ends_as_nobody_knows(self, shop, answer):
        shop.answer = httpx.Response(200, content=answer)
        ticket = await shop.buy(shop.order())
        [ended] = [seen async for seen in shop.provider.follow(ticket)]
        assert (type(ended), ended.charged) == (seam.Ended, None)

    async def test_its_terms_are_those_of_a_vendor_that_nobody_can_ask(self, shop, acme):
        names = vars(vendors) | {"Acme": acme.Acme}
        exec(compile(BLOCKS[TERMS], TERMS, "exec"), names)
        vendor = names["_acme"](shop.http, shop.receipts)
        assert isinstance(vendor.provider, seam.CanBeAsked)
        assert (vendor.terms.conclusive, vendor.watched) == (False, True)
        assert not list(files.flaws(shop.model))
