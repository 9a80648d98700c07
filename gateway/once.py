"""
Bodies in which a name stands twice.

JSON leaves open which of the two counts. Where one of them is a limit on what may be spent,
none should: each name that is given twice holds `TWICE`, which every body refuses.
"""

import json
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response


class _Twice:
    """Stands in place of what was given twice."""


TWICE: Final = _Twice()


class Route(APIRoute):
    """A route that reads its body so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            return await handle(Read(request.scope, request.receive))

        return handler


class Read(Request):
    """A request whose body is read so."""

    async def json(self) -> Any:
        """Read the body; raises ValueError, RecursionError."""
        return json.loads(await self.body(), object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen = set[str]()
        for name, _ in pairs:
            if name in seen:
                found[name] = TWICE
            seen.add(name)
    return found
