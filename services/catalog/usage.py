"""What was spent, on what, and what the cap leaves. Money in micro-USD."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg

from chassis.errors import Fault
from imagestudio.catalog.v1 import catalog_service_pb2 as pb
from imagestudio.catalog.v1 import usage_pb2
from services.catalog import arguments
from services.catalog.database import Connection, Pool, as_user
from services.catalog.queries import SQL

Row = asyncpg.Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """What a user may spend in a period and has spent; *cap* None for no cap."""

    begins: datetime
    ends: datetime
    spent: int
    reserved: int
    unclear: int
    cap: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Usage lines, dearest first or by day, and the language calls' cost beside them."""

    cap: Cap
    lines: list[Row]
    language: int
    at_risk: Row  # of whatever time: count, micros

    @property
    def total(self) -> int:
        """The sum of all lines and of the language calls."""
        spent: int = sum(line["cost"] for line in self.lines)
        return self.language + spent


@dataclass(frozen=True, slots=True)
class Usage:
    """*server_cap* is the most that any user may spend in a period; None: no limit."""

    pool: Pool
    server_cap: int | None

    async def report(self, user_id: int, request: pb.GetUsageRequest) -> Report:
        """Tell what jobs cost that were admitted in a time; unset: in the present period."""
        query = _queries().get(request.group_by)
        if query is None:
            raise arguments.invalid("group_by", "must be one of UsageGrouping")
        end = arguments.time_of(request, "end_time") or datetime.now(UTC)
        start = arguments.time_of(request, "start_time")
        async with as_user(self.pool, user_id) as connection:
            cap = await self._cap(connection, user_id)
            start = start or cap.begins
            if end < start:
                raise _backwards(start, end)
            between = (user_id, start, end)
            lines = await connection.fetch(query, *between)
            language = await connection.fetchval(SQL.language_cost, *between)
            (at_risk,) = await connection.fetch(SQL.at_risk, user_id)
        return Report(cap=cap, lines=lines, language=language, at_risk=at_risk)

    async def set_cap(self, user_id: int, cap: int | None) -> Cap:
        """Set the cap of this period and later ones; None leaves the server's own."""
        if cap is not None and cap < 0:
            raise arguments.invalid("cap_usd_micros", "must not be negative")
        if cap is not None and self.server_cap is not None and cap > self.server_cap:
            raise _above(self.server_cap)
        await self._set(user_id, cap)
        return await self._set(user_id, cap)  # a month that began meanwhile took the old one along

    async def _set(self, user_id: int, cap: int | None) -> Cap:
        async with as_user(self.pool, user_id) as connection:
            await connection.execute(SQL.set_spend_cap, user_id, cap)
            return await self._cap(connection, user_id)

    async def _cap(self, connection: Connection, user_id: int) -> Cap:
        (row,) = await connection.fetch(SQL.spend_cap, user_id)
        found: dict[str, Any] = dict(row)
        caps = [cap for cap in (found["cap"], self.server_cap) if cap is not None]
        return Cap(**found | {"cap": min(caps, default=None)})


def _queries() -> dict[int, str]:
    return {
        usage_pb2.USAGE_GROUPING_UNSPECIFIED: SQL.usage_by_model,
        usage_pb2.USAGE_GROUPING_MODEL: SQL.usage_by_model,
        usage_pb2.USAGE_GROUPING_PROJECT: SQL.usage_by_project,
        usage_pb2.USAGE_GROUPING_USE_CASE: SQL.usage_by_use_case,
        usage_pb2.USAGE_GROUPING_DAY: SQL.usage_by_day,
    }


def _backwards(start: datetime, end: datetime) -> Fault:
    begins = f"{start:%Y-%m-%dT%H:%M:%SZ}, where the report begins"
    return arguments.invalid("end_time", f"is {end:%Y-%m-%dT%H:%M:%SZ} and before {begins}")


def _above(server_cap: int) -> Fault:
    dollars = server_cap / 1_000_000
    return arguments.invalid(
        "cap_usd_micros", f"must not be above {server_cap}, the server's own cap of {dollars:g} USD"
    )
