"""What nobody knows whether it was charged: ordered again, or settled by what an invoice says."""

import uuid
from datetime import UTC, datetime
from typing import Any

from cli.edge import Edge, Trouble
from cli.job import follow
from cli.screen import dollars, print_json, say


def retry(edge: Edge, job_id: str, purchases: list[str], *, again: bool, as_json: bool) -> int:
    """Order again, watch the new job to its end, and return the exit status."""
    body: dict[str, Any] = {"purchase_ids": purchases} if purchases else {}
    if again:  # else the same command is the same request
        body["request_id"] = str(uuid.uuid4())
    started = edge.post(f"/images/jobs/{job_id}/retry-unclear", body)
    new = str(started["job_id"])
    if started["replayed"]:
        say(f"it was ordered again before, as job {new}; --again orders it once more")
    else:
        say(f"ordered again as job {new}, for {dollars(started['estimate']['reserved_usd'])}")
    return follow(edge.watch(new, say), as_json=as_json)


def settle(
    edge: Edge, job_id: str, purchase: str, *, charged: bool, cost: float | None, as_json: bool
) -> None:
    """Tell the stack, and show what it has noted."""
    body: dict[str, Any] = {"purchase_id": purchase, "charged": charged}
    if cost is not None and not charged:
        raise Trouble("--cost goes with --charged yes alone", 400)
    if cost is not None:
        body["cost_usd"] = cost
    found = edge.post(f"/images/jobs/{job_id}/settle", body)
    if as_json:
        return print_json(found)
    told = found["settlement"]
    word = f"charged, {dollars(told['cost_usd'])}" if told["charged"] else "not charged"
    say(f"{told['purchase_id']} was {word}; {dollars(told['counted_usd'])} counted as spent")
    return None


def between(month: str) -> tuple[str, str]:
    """Return the first moments of *month* ("2026-11") and of the next; empty for an empty one."""
    if not month:
        return "", ""
    try:
        start = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
        years, months = divmod(start.month, 12)
        end = start.replace(year=start.year + years, month=months + 1)
    except ValueError:
        raise Trouble(f"--month {month}: write it as 2026-11", 400) from None
    return start.isoformat(), end.isoformat()
