"""The guarded download under attack by URLs, by names and by redirects."""

import random
import socket

import pytest

from services.storage.dial import Dialer
from services.storage.sources import Failed, Forbidden, Target, Trouble
from tests.storage.pictures import picture
from tests.storage.test_addresses import REFUSED
from tests.storage.vendor import FILES, OTHER_PUBLIC, PUBLIC, http, moved, says, vendor_host

PNG = picture()
URLS = [
    "", "https:/x", "https://", "//files.replicate.delivery/a", "files.replicate.delivery/a",
    "http://127.0.0.1/", "http://files.replicate.delivery/a", "https://2130706433/",
    "https://0177.0.0.1/", "https://0x7f.1/", "https://127.1/", "https://0/", "https://[::1]/",
    "https://[::127.0.0.1]/", "https://[64:ff9b::a9fe:a9fe]/", "https://[2002:7f00:1::1]/",
    "https://[fe80::5efe:7f00:1]/", "https://[fec0::1]/", "https://[fd20:ce::254]/",
    "https://169.254.170.2/", "https://168.63.129.16/", "https://100.64.0.1/",
    "https://224.0.0.1/", "https://93.184.216.34/", "https://①②⑦.⓪.⓪.①/", "https://localhost/",
    "https://localhost./", "https://replicate.delivery./a", "https://files.replicate.delivery./a",
    "https://replicate.delivery@127.0.0.1/", "https://a:b@replicate.delivery/",
    "https://@replicate.delivery/", "https://127.0.0.1\\@replicate.delivery/",
    "https://replicate.delivery\\@127.0.0.1/", "https://replicate.delivery%40127.0.0.1/",
    "https://127.0.0.1%2f.replicate.delivery/", "https://127.0.0.1#.replicate.delivery/",
    "https://127.0.0.1?.replicate.delivery/", "https://127.0.0.1/.replicate.delivery/",
    "https://evilreplicate.delivery/", "https://replicate.delivery.evil.example/",
    "https://replicate.deliveryx/", "https://.replicate.delivery/", "https://a..replicate.delivery/",
    "https://-a.replicate.delivery/", "https://a_b.replicate.delivery/",
    f"https://{'a' * 64}.replicate.delivery/", f"https://{'a.' * 40}replicate.delivery/",
    "https://replicate.delivery:0/", "https://replicate.delivery:80/",
    "https://replicate.delivery:8443/", "https://replicate.delivery:65536/",
    "https://replicate.delivery:٤٤٣/", "https://replicate.delivery:+443/",
    "https://replicate.delivery:0443/", "https://replicate.delivery: 443/",
    "https://replicate.delivery:/", "https://rep\tlicate.delivery/", "https://rep licate.delivery/",
    " https://replicate.delivery/", "https://replicate.delivery/ ", "https://replicate.delivery/\n",
    "https://replicate.delivery/a b", "https://replicate.delivery/a\r\nX: y",
    "https://replicate.delivery/\0", "https://replicate.delivery/ä", "https://replicate.deli\u017fery/",
    "https://replicate.delıvery/", "https://repl\u0131cate.delivery/", "https://re\u017fplicate.delivery/",
    "https://replicate。delivery/", "https://xn--rplicate-b1a.delivery/",
    "https:\\\\replicate.delivery\\a",
    "gopher://replicate.delivery/", "ftp://replicate.delivery/", "jar:https://replicate.delivery/!/",
    "blob:https://replicate.delivery/a", "file:///etc/passwd", "data:image/png;base64,AAAA",
    "ws://replicate.delivery/", f"https://replicate.delivery/{'a' * 65_536}",
    "https://file\u017f.replicate.delivery/", "https://\u212a.replicate.delivery/",
    "https://img.recraft.ai/a", "https://example.com/a",
]  # fmt: skip


@pytest.fixture
async def vendor():
    async with vendor_host() as host:
        yield host


@pytest.mark.parametrize("url", URLS, ids=lambda url: repr(url[:60]))
async def test_a_url_off_the_list_is_neither_resolved_nor_dialed(vendor, url):
    with pytest.raises(Forbidden) as refusal:
        await vendor.get(url)
    assert refusal.value.passing == (refusal.value.rule == "host")  # a release may add one
    assert (vendor.resolved, vendor.dialed) == ([], [])


@pytest.mark.parametrize("url", URLS, ids=lambda url: repr(url[:60]))
async def test_a_redirect_off_the_list_goes_no_further(vendor, url):
    raw = f"HTTP/1.1 307 Moved\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n"
    vendor.scripts = {"/a": says(raw.encode("utf-8"))}
    before = len(vendor.dialed)
    with pytest.raises(Trouble):
        await vendor.get(f"{FILES}/a")
    paths = vendor.paths[1:]  # what is a path or a page of the host itself may be asked
    assert all(path in LOCAL for path in paths)
    assert {address for address, _port in vendor.dialed[before:]} == {PUBLIC}
    assert {port for _address, port in vendor.dialed} == {443}


LOCAL = {
    "/",
    "/a",
    "/x",
    "/files.replicate.delivery/a",
}  # of the locations above, relative to the host


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_chain_of_redirects_to_the_metadata_service_is_broken_at_its_judge(vendor, status):
    vendor.names = {"meta.replicate.delivery": [["169.254.169.254"]]}
    vendor.scripts = {
        "/a": moved("/b", status), "/b": moved("https://meta.replicate.delivery/latest", status),
    }  # fmt: skip
    with pytest.raises(Forbidden) as refusal:
        await vendor.get(f"{FILES}/a")
    assert (refusal.value.rule, refusal.value.passing) == ("address", True)
    assert vendor.dialed == [(PUBLIC, 443)] * 2


async def test_a_loop_of_redirects_ends_after_three(vendor):
    vendor.scripts = {"/a": moved("/b"), "/b": moved("/a")}
    with pytest.raises(Forbidden) as refusal:
        await vendor.get(f"{FILES}/a")
    assert (refusal.value.rule, len(vendor.requests)) == ("redirects", 4)


@pytest.mark.parametrize("address", REFUSED)
async def test_a_name_with_any_answer_that_is_not_public_is_not_dialed(vendor, address):
    for answers in (
        [address],
        [PUBLIC, address],
        [address, OTHER_PUBLIC],
        [PUBLIC] * 499 + [address],
    ):
        vendor.names = {"files.replicate.delivery": [answers]}
        with pytest.raises(Forbidden) as refusal:
            await vendor.get(f"{FILES}/a")
        assert (refusal.value.rule, refusal.value.passing) == ("address", True)
    assert vendor.dialed == []


async def test_a_name_is_asked_once_so_that_its_second_answer_cannot_matter(vendor):
    vendor.names = {"files.replicate.delivery": [[PUBLIC], ["127.0.0.1"]]}
    vendor.scripts = {"/a": http(PNG)}
    assert await vendor.get(f"{FILES}/a") == PNG
    assert (len(vendor.resolved), vendor.dialed) == (1, [(PUBLIC, 443)])


async def test_a_name_without_an_answer_and_one_with_500_are_tried_again_later(vendor):
    many = [f"93.184.{block}.{host}" for block in range(2) for host in range(250)]
    vendor.refusing = {*many}
    vendor.names = {"none.replicate.delivery": [[]], "many.replicate.delivery": [many]}
    for name in vendor.names:
        with pytest.raises(Failed):
            await vendor.get(f"https://{name}/a")
    assert len(vendor.dialed) == 4


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_the_systems_own_resolver_is_judged_too(host):
    with pytest.raises(Forbidden) as refusal:
        await Dialer().open(Target("https", host, 443, "/"))
    assert refusal.value.rule == "address"


async def test_ten_thousand_hostile_urls_reach_the_judge_and_dial_nothing_off_the_policy(vendor):
    """Most pass the list, as a vendor's host that was taken over would, and meet the judge."""
    chance, judged, fetch = random.Random(20_261_125), 0, vendor.fetch()
    for number in range(10_000):
        host = f"h{number}.replicate.delivery"
        before = len(vendor.resolved)
        url = hostile(chance, vendor, host)
        with pytest.raises(Trouble):
            await vendor.get(url, fetch)
        judged += len(vendor.resolved) > before
    assert judged >= 8_000
    assert vendor.dialed.count((PUBLIC, 443)) == len(vendor.dialed) >= 100


def hostile(chance: random.Random, vendor, host: str) -> str:
    kind = chance.random()
    if kind < 0.02:  # a public host that sends us on
        to = mutated(chance, chance.choice(URLS)) if kind < 0.01 else f"https://to.{host}/a"
        vendor.names = {f"to.{host}": [[address(chance)]], host: [[PUBLIC], ["127.0.0.1"]]}
        raw = f"HTTP/1.1 302 Found\r\nLocation: {to}\r\n\r\n"
        vendor.scripts = {"/a": says(raw.encode("utf-8", "replace"))}
        return f"https://{host}/a"
    if kind < 0.15:
        return mutated(chance, chance.choice(URLS))
    answers = [PUBLIC] * chance.choice([0, 0, 1, 3]) + [address(chance)]
    chance.shuffle(answers)
    vendor.names = {host: [answers, [PUBLIC]]}
    return f"https://{host}{chance.choice(['', ':443'])}/{chance.randbytes(4).hex()}"


def mutated(chance: random.Random, url: str) -> str:
    at = chance.randrange(len(url) + 1)
    return url[:at] + chance.choice("@:/\\#?%.\t\0[]０") + url[at:]


def address(chance: random.Random) -> str:
    """One that is not public, often one that embeds such an IPv4 address."""
    inner = chance.choice(
        ["127.0.0.1", "169.254.169.254", "10.{}.{}.1", "192.168.{}.{}", "100.64.{}.{}"]
    )
    inner = inner.format(chance.randrange(256), chance.randrange(256))
    number = int.from_bytes(socket.inet_aton(inner))
    high, low = f"{number >> 16:x}", f"{number & 0xFFFF:x}"
    forms = (
        inner, f"::{inner}", f"::ffff:{inner}", f"64:ff9b::{inner}", f"64:ff9b:1::{inner}",
        f"2002:{high}:{low}::1", f"2606:4700::5efe:{high}:{low}", f"fe80::200:5efe:{high}:{low}",
        f"2001:0:{high}:{low}::1", chance.choice(REFUSED),
    )  # fmt: skip
    return chance.choice(forms)
