"""
A picture from its source to the vault and the CDN, beside the flow that everybody writes first.

Ours: streamed into storage, hashed, fsynced, then uploaded in pieces and proven by hash. The
naive one: the whole body in memory, base64 in a data URI, the vendor's blocking client in
threads, and no copy of one's own. Both against the same lab, one after the other.
"""

import argparse
import asyncio
import base64
import json
import os
import resource
import struct
import subprocess
import sys
import time
import uuid
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from aiohttp import web
from httpx_aiohttp import AiohttpTransport

from bench.report import Report, parser
from tests.lab.process import running_lab
from tests.ports import free_port

# Each flow imports its own, late: what it needs not shall not count as its memory.

_SIDE = 590  # pixels of noise: a PNG of 1 MiB
_IN_FLIGHT = 64
_PREVIEW = "c_limit,f_webp,h_512,w_512"  # the same in both
_ACCOUNT = "cloudinary://lab:lab-secret@lab"
_CHUNK = 65_536
_PATIENCE = 120.0  # seconds


def picture(folder: Path) -> bytes:
    """A PNG of 1 MiB, less its end."""
    from PIL import Image

    path = folder / "noise.png"
    Image.frombytes("RGB", (_SIDE, _SIDE), os.urandom(_SIDE * _SIDE * 3)).save(path)
    return path.read_bytes()[:-12]


def numbered(beginning: bytes, number: int) -> bytes:
    """The picture with a number in it, so that no two are the same."""
    note = b"tEXt" + b"number\0%d" % number
    chunk = struct.pack(">I", len(note) - 4) + note + struct.pack(">I", zlib.crc32(note))
    end = b"IEND"
    return beginning + chunk + struct.pack(">I", 0) + end + struct.pack(">I", zlib.crc32(end))


async def source(beginning: bytes, port: int) -> web.AppRunner:
    """Serve pictures, as a provider's links do."""

    async def answer(request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        return web.Response(body=numbered(beginning, number), content_type="image/png")

    app = web.Application()
    app.router.add_get("/{number}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


# -- the two flows, each in a process of its own


async def ours(url: str, target: str, count: int) -> None:
    from chassis.channel import Peer
    from imagestudio.storage.v1 import storage_service_pb2 as pb
    from imagestudio.storage.v1 import storage_service_pb2_grpc as pb_grpc
    from tests.storage.client import SECRET

    peer = Peer(target, "storage", service="generator", secret=SECRET.encode())
    stub = pb_grpc.StorageServiceStub(peer.channel)

    async def parts(number: int) -> AsyncIterator[object]:
        async with http.stream("GET", f"{url}/{number}") as answer:
            size = int(answer.headers["content-length"])
            header = pb.UploadHeader(size_bytes=size, purchase_id=str(uuid.uuid4()))
            yield pb.UploadAssetRequest(header=header)
            async for chunk in answer.aiter_bytes(_CHUNK):
                yield pb.UploadAssetRequest(chunk=chunk)

    async def one(number: int) -> None:
        kept = await peer.ask(stub.UploadAsset, parts(number), timeout=_PATIENCE, user_id=1)
        request = pb.PublishAssetRequest(name=kept.asset.name, display_name=f"bench_1_{number}")
        await peer.ask(stub.PublishAsset, request, timeout=_PATIENCE, user_id=1)

    async with httpx.AsyncClient(transport=AiohttpTransport(), timeout=_PATIENCE) as http:
        await _many(one, count)
    await peer.close()


async def naive(url: str, base: str, count: int) -> None:
    import cloudinary.uploader

    cloudinary.config(cloud_name="lab", api_key="lab", api_secret="lab-secret", upload_prefix=base)
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_IN_FLIGHT))

    async def one(number: int) -> None:
        content = (await http.get(f"{url}/{number}")).content
        uri = "data:image/png;base64," + base64.b64encode(content).decode()
        said = {"public_id": f"naive-{number}", "eager": [{"raw_transformation": _PREVIEW}]}
        await asyncio.to_thread(cloudinary.uploader.upload, uri, **said)

    async with httpx.AsyncClient(transport=AiohttpTransport(), timeout=_PATIENCE) as http:
        await _many(one, count)


async def _many(one: Callable[[int], Awaitable[None]], count: int) -> None:
    turns = asyncio.Semaphore(_IN_FLIGHT)

    async def in_turn(number: int) -> None:
        async with turns:
            await one(number)

    began = time.monotonic()
    await asyncio.gather(*(in_turn(number) for number in range(count)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": time.monotonic() - began, "peak": peak}))


# -- the comparison


async def compare(count: int, report: Report) -> None:
    from tests.storage.conftest import environment
    from tests.storage.process import process

    with TemporaryDirectory(ignore_cleanup_errors=True) as folder, running_lab() as lab:
        port, base = free_port(), f"{lab.url}/cloudinary"
        runner = await source(picture(Path(folder)), port)
        url = f"http://127.0.0.1:{port}"
        said = environment(
            Path(folder) / "vault", "127.0.0.1:1", CLOUDINARY_URL=_ACCOUNT, CLOUDINARY_BASE_URL=base
        )
        with process(said) as storage:
            flow = await _flow("ours", url, f"127.0.0.1:{said['STORAGE_PORT']}", count)
            peak = flow["peak"] + _peak_of(storage.pid)
        assert len(lab.assets()) == count
        lab.reset()
        other = await _flow("naive", url, base, count)
        assert len(lab.assets()) == count
        await runner.cleanup()
    megabytes = 1024 * 1024
    report.add("kept and published, ours", count / flow["seconds"], "images/s")
    report.add("published, the naive flow", count / other["seconds"], "images/s")
    report.add("peak memory, ours: storage and its client", peak / megabytes, "MB")
    report.add("peak memory, the naive flow", other["peak"] / megabytes, "MB")


async def _flow(name: str, url: str, where: str, count: int) -> dict[str, float]:
    """Run one flow in a process of its own, while we serve the pictures."""
    command = [sys.executable, "-m", "bench.rehost", "--flow", name, url, where, str(count)]
    flow = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    said, _nothing = await flow.communicate()
    if flow.returncode:
        raise SystemExit(f"the {name} flow ended with {flow.returncode}")
    found: dict[str, float] = json.loads(said)
    return found


def _peak_of(pid: int) -> int:
    """The most memory that a process ever had, in bytes (Linux)."""
    [line] = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) * 1024


def main(arguments: argparse.Namespace) -> None:
    if arguments.flow:
        name, url, where, count = arguments.flow
        asyncio.run({"ours": ours, "naive": naive}[name](url, where, int(count)))
        return
    report = Report(f"{arguments.pictures} pictures of 1 MiB, {_IN_FLIGHT} in flight")
    asyncio.run(compare(arguments.pictures, report))
    report.notes.append("The lab makes each preview, on the same cores: it is most of the time.")
    report.show(arguments.json)


if __name__ == "__main__":
    known = parser(__doc__)
    known.add_argument("--pictures", type=int, default=256)
    known.add_argument("--flow", nargs=4, help=argparse.SUPPRESS)
    main(known.parse_args())
