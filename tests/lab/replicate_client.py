"""Replicate's API over plain HTTP, as an adapter would speak it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests import patient
from tests.lab.process import Lab

SCHNELL = "black-forest-labs/flux-schnell"
PRO = "black-forest-labs/flux-1.1-pro"
RECRAFT = "recraft-ai/recraft-v3"
# A connection that is cut: what was not read of the order yet makes it a reset.
CUT = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


@dataclass(frozen=True, slots=True)
class Replicate:
    """A client with a token that is good."""

    http: httpx.Client

    def create(self, slug: str = SCHNELL, *, headers=None, body=None, **inputs: Any):
        """The answer to an order of *inputs*; *body* holds what goes beside them."""
        whole = {"input": {"prompt": "a lighthouse"} | inputs} | (body or {})
        return self.http.post(f"/v1/models/{slug}/predictions", json=whole, headers=headers)

    def made(self, slug: str = SCHNELL, **order: Any) -> dict[str, Any]:
        """A prediction that was accepted."""
        answer = self.create(slug, **order)
        assert answer.is_success, answer.text
        return answer.json()

    def get(self, made: dict[str, Any]) -> dict[str, Any]:
        return self.http.get(f"/v1/predictions/{made['id']}").json()

    def drawn(self, slug: str = SCHNELL, **order: Any) -> dict[str, Any]:
        """A prediction that has ended."""
        made, give_up = self.made(slug, **order), time.monotonic() + 120
        while time.monotonic() < give_up:
            found = self.get(made)
            if found["status"] not in ("starting", "processing"):
                return found
        raise AssertionError(f"not over: {found}")

    def cancel(self, made: dict[str, Any]) -> dict[str, Any]:
        return self.http.post(f"/v1/predictions/{made['id']}/cancel").json()

    def listed(self, **query: str) -> list[str]:
        return [one["id"] for one in self.page(**query)["results"]]

    def page(self, **query: str) -> dict[str, Any]:
        answer = self.http.get("/v1/predictions", params=query)
        assert answer.is_success, answer.text
        return answer.json()


@contextmanager
def replicate(lab: Lab, token: str = "r8_good") -> Iterator[Replicate]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with patient.Client(base_url=f"{lab.url}/replicate", headers=headers) as http:
        yield Replicate(http)
