"""
The floor's floor: one bare grpc.aio call that inserts one row through asyncpg and commits.

No service of ours takes part; the PostgreSQL is the stack's own, with its settings. What a
durable job costs is told as a multiple of this.
"""

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg
import grpc
import uvloop

from bench import processes
from bench.report import Report, parser, percentile
from tests.ports import free_port
from tests.postgres import running_postgres, temporary_data

Call: TypeAlias = "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]"
_METHOD = "/floor.Floor/Insert"
_CONNECTIONS = 8  # as many as the catalog's ledger has
_PAYLOAD = b"x" * 200


@dataclass(frozen=True, slots=True)
class Floor:
    """Seconds of a call with one in flight, calls a second with many, CPU seconds a call."""

    p50: float
    p99: float
    calls_per_second: float
    cpu: float


async def serve(port: int, url: str) -> None:
    """Answer calls, each with one committed row."""
    pool = await asyncpg.create_pool(url, min_size=_CONNECTIONS, max_size=_CONNECTIONS)
    await pool.execute(
        "CREATE TABLE bench_floor (id BIGINT GENERATED ALWAYS AS IDENTITY, what BYTEA)"
    )

    async def insert(request: bytes, _context: object) -> bytes:
        row = await pool.fetchval(
            "INSERT INTO bench_floor (what) VALUES ($1) RETURNING id", request
        )
        return str(row).encode()

    server = grpc.aio.server()
    handler: Any = grpc.unary_unary_rpc_method_handler(insert)
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("floor.Floor", {"Insert": handler})]
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


async def measure(url: str, postgres: int, *, calls: int = 500, seconds: float = 5.0) -> Floor:
    """Measure against the database *url*, whose postmaster has the pid *postgres*."""
    with _server(url) as (port, server):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call: Call = channel.unary_unary(_METHOD)
            await _one_by_one(call, 50)
            alone = await _one_by_one(call, calls)
            before = _cpu(postgres, server)
            done = await _together(call, 64, seconds)
            spent = _cpu(postgres, server) - before
    await _forget(url)
    return Floor(percentile(alone, 0.5), percentile(alone, 0.99), done / seconds, spent / done)


@contextmanager
def _server(url: str) -> Iterator[tuple[int, int]]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.floor", "--serve", str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(url + "\n")  # not on the command line: it has a password
        process.stdin.flush()
        if process.stdout.readline() != "ready\n":
            raise SystemExit("the floor's server did not start")
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def _cpu(*pids: int) -> float:
    return sum(sum(processes.cpu(pid, {}).values()) for pid in pids)


async def _one_by_one(call: Call, count: int) -> list[float]:
    took = []
    for _ in range(count):
        began = time.perf_counter()
        await call(_PAYLOAD)
        took.append(time.perf_counter() - began)
    return took


async def _together(call: Call, at_once: int, seconds: float) -> int:
    done, end = 0, time.monotonic() + seconds

    async def work() -> None:
        nonlocal done
        while time.monotonic() < end:
            await call(_PAYLOAD)
            done += 1

    await asyncio.gather(*(work() for _ in range(at_once)))
    return done


async def _forget(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("DROP TABLE bench_floor")
    await connection.close()


def add(report: Report, floor: Floor) -> None:
    """Add the figures to *report*."""
    report.add("floor: bare gRPC call with one insert, p50", floor.p50 * 1000, "ms")
    report.add("floor: the same, p99", floor.p99 * 1000, "ms")
    report.add("floor: the same, 64 in flight", floor.calls_per_second, "calls/s")
    report.add("floor: CPU a call, server and PostgreSQL", floor.cpu * 1000, "ms")


def main() -> None:
    """Measure the floor on a PostgreSQL of its own."""
    options = parser(__doc__)
    options.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.serve:
        uvloop.run(serve(chosen.serve, sys.stdin.readline().strip()))
        return
    with temporary_data() as data, running_postgres(data, free_port()) as postgres:
        floor = uvloop.run(measure(postgres.url, postgres.pid))
    report = Report("The floor: a bare round trip that commits")
    add(report, floor)
    report.show(chosen.json)


if __name__ == "__main__":
    main()
