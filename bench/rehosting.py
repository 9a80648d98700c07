"""
The flows of rehost.py, each in a process of its own that imports what it alone needs.

It reads lines "FIRST COUNT", rehosts the pictures of those numbers, and prints the seconds.
"""

import asyncio
import base64
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

_IN_FLIGHT = 64
_PREVIEW = "c_limit,f_webp,h_512,w_512"  # the same in both
_PATIENCE = 120.0  # seconds

One = Callable[[int], Awaitable[None]]


@asynccontextmanager
async def ours(url: str, target: str) -> AsyncIterator[One]:
    """Ask the storage at *target* for it, as the generator does."""
    from chassis.channel import Peer
    from imagestudio.storage.v1 import storage_service_pb2 as pb
    from imagestudio.storage.v1 import storage_service_pb2_grpc as pb_grpc
    from tests.storage.client import SECRET

    peer = Peer(target, "storage", service="generator", secret=SECRET.encode())
    stub = pb_grpc.StorageServiceStub(peer.channel)

    async def one(number: int) -> None:
        bought = pb.ImportAssetRequest(
            source_uri=f"{url}/{number}", provider="replicate", purchase_id=str(uuid.uuid4())
        )
        kept = await peer.ask(stub.ImportAsset, bought, timeout=_PATIENCE, user_id=1)
        request = pb.PublishAssetRequest(name=kept.asset.name, display_name=f"bench_1_{number}")
        await peer.ask(stub.PublishAsset, request, timeout=_PATIENCE, user_id=1)

    await peer.channel.channel_ready()
    yield one
    await peer.close()


@asynccontextmanager
async def naive(url: str, base: str, *, threads: bool = True) -> AsyncIterator[One]:
    """Download it, encode it and hand it to the vendor's client, which blocks its *threads*.

    Without them it blocks the event loop, as a call that nobody awaits does in a coroutine.
    """
    import cloudinary.uploader
    import httpx
    from httpx_aiohttp import AiohttpTransport

    cloudinary.config(cloud_name="lab", api_key="lab", api_secret="lab-secret", upload_prefix=base)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_IN_FLIGHT))
    http = httpx.AsyncClient(transport=AiohttpTransport(), timeout=_PATIENCE)

    async def one(number: int) -> None:
        content = (await http.get(f"{url}/{number}")).content
        uri = "data:image/png;base64," + base64.b64encode(content).decode()
        said = {"public_id": f"naive-{number}", "eager": [{"raw_transformation": _PREVIEW}]}
        upload = partial(cloudinary.uploader.upload, uri, timeout=_PATIENCE, **said)
        await asyncio.to_thread(upload) if threads else upload()

    yield one
    await http.aclose()


@asynccontextmanager
async def floor(url: str, base: str) -> AsyncIterator[One]:
    """Move the bytes there and have them on a disk, as barely as it goes: nothing is proven."""
    import aiohttp
    from cloudinary.utils import SIGNATURE_SHA256, api_sign_request

    async def one(number: int) -> None:
        async with http.get(f"{url}/{number}") as answer:
            content = await answer.read()
        await asyncio.to_thread(_write, Path(folder, f"{number}"), content)
        said = {
            "public_id": f"floor-{number}",
            "eager": _PREVIEW,
            "timestamp": f"{time.time():.0f}",
        }
        said["signature"] = api_sign_request(said, "lab-secret", SIGNATURE_SHA256)
        form = aiohttp.FormData(said | {"api_key": "lab"})
        form.add_field("file", content, filename="a.png", content_type="image/png")
        async with http.post(f"{base}/v1_1/lab/image/upload", data=form) as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()

    with TemporaryDirectory() as folder:
        async with aiohttp.ClientSession() as http:
            yield one


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        os.fsync(file.fileno())


async def _many(one: One, first: int, count: int) -> float:
    """Rehost the pictures from number *first* on; return the seconds that it took."""
    turns = asyncio.Semaphore(_IN_FLIGHT)

    async def in_turn(number: int) -> None:
        async with turns:
            await one(number)

    began = time.monotonic()
    await asyncio.gather(*(in_turn(number) for number in range(first, first + count)))
    return time.monotonic() - began


async def main(name: str, url: str, where: str) -> None:
    """Serve the parent until it says no more."""
    blocking = partial(naive, threads=False)
    flows = {"ours": ours, "naive": naive, "blocking": blocking, "floor": floor}
    async with flows[name](url, where) as one:
        while order := await asyncio.to_thread(sys.stdin.readline):
            first, count = map(int, order.split())
            print(await _many(one, first, count), flush=True)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
