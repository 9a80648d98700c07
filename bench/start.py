"""How long `studio up` takes until the stack is ready, and what the stack costs while idle."""

import http.client
import time

from bench.processes import Gauge, minus
from bench.report import Report, parser, percentile
from tests.postgres import temporary_data
from tests.system.stack import Stack

_SETTLE = 15.0  # seconds from ready to the first look: caches fill, autovacuum has its first turn


def start(stack: Stack) -> float:
    """Start *stack*; return the seconds until it answers through Envoy that all of it is ready."""
    began = time.monotonic()
    stack.start()
    while not _is_ready(stack.port("EDGE_PORT")):
        time.sleep(0.005)
    return time.monotonic() - began


def _is_ready(edge: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", edge, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def main() -> None:
    """Run it in about a minute."""
    options = parser(__doc__)
    options.add_argument("--starts", type=int, default=5, help="starts on data that is there")
    options.add_argument("--seconds", type=float, default=20.0, help="of idleness")
    chosen = options.parse_args()
    with temporary_data() as data:
        stack = Stack(data)
        try:
            first, again = start(stack), []
            for _ in range(chosen.starts):
                stack.stop()
                again.append(start(stack))
            time.sleep(_SETTLE)
            gauge = Gauge(stack)
            before, began = gauge.cpu(), time.monotonic()
            time.sleep(chosen.seconds)
            spent, seconds = minus(gauge.cpu(), before), time.monotonic() - began
            held = gauge.memory()
        finally:
            stack.stop()
    report = Report("Start and idleness of a whole stack")
    report.add("up to ready, the first time: makes the database", first, "s", most=10, aim=4)
    report.add("up to ready, again, median", percentile(again, 0.5), "s", most=10, aim=4)
    report.add("up to ready, again, slowest", max(again), "s")
    report.add("memory while idle, all processes", sum(held.values()) / 1e6, "MB", most=450)
    share = 100 * sum(spent.values()) / seconds
    report.add("CPU while idle, all processes", share, "% of a core", most=3)
    rows = [
        (name, held[name] / 1e6, 100 * spent[name] / seconds)
        for name in sorted(held, key=lambda name: -held[name])
    ]
    report.table("By process", ("", "PSS MB", "% of a core"), rows)
    report.show(chosen.json)


if __name__ == "__main__":
    main()
