"""The provider lab of the running stack: its ledger, its clock, its pace and its faults."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from cli.edge import Trouble
from cli.folder import Folder
from cli.trust import trusted

TOKEN = "r8_lab"  # noqa: S105  # known to everyone: it opens nothing but the lab
_TIMEOUT = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Lab:
    """The lab at *url*; *transport* is of the wire, None: the real one."""

    url: str
    transport: httpx.BaseTransport | None = None

    def charges(self) -> list[dict[str, Any]]:
        """Everything that was charged, each once."""
        found: list[dict[str, Any]] = self.ask("GET", "/_lab/ledger")["charges"]
        return found

    def assets(self) -> list[dict[str, Any]]:
        """What the CDN holds: public_id, sha256 and more of each."""
        found: list[dict[str, Any]] = self.ask("GET", "/_lab/assets")
        return found

    def pictures(self) -> list[dict[str, Any]]:
        """What was drawn and handed out: ticket, index and sha256 of each."""
        found: list[dict[str, Any]] = self.ask("GET", "/_lab/pictures")
        return found

    def advance(self, seconds: float) -> None:
        """Move the vendors' clock on."""
        self.ask("POST", "/_lab/clock", {"advance_seconds": seconds})

    @contextmanager
    def faults(self, *wanted: dict[str, Any]) -> Iterator[None]:
        """Have *wanted* go wrong meanwhile, ahead of what goes wrong anyway."""
        before = [_left(fault) for fault in self.ask("GET", "/_lab/faults")]
        try:
            self.ask("PUT", "/_lab/faults", [*wanted, *before])  # done, though we be stopped
            yield
        finally:
            now = self.ask("GET", "/_lab/faults")
            others = now[len(now) - len(before) :]
            self.ask("PUT", "/_lab/faults", [_left(fault) for fault in others])

    def struck(self) -> dict[str, int]:
        """How often each fault that has words has struck, by its words."""
        told = self.ask("GET", "/_lab/faults")
        return {fault["words"]: fault["struck"] for fault in told if fault["words"]}

    @contextmanager
    def pace(self, seconds: float) -> Iterator[None]:
        """Have each picture take *seconds* meanwhile; after it, what it took before."""
        before = self.ask("GET", "/_lab/pace")
        try:
            self.ask("PUT", "/_lab/pace", before | {"seconds": seconds})
            yield
        finally:
            self.ask("PUT", "/_lab/pace", before)

    def outputs(self) -> list[str]:
        """The vendor's own links to what it drew: alive for an hour, never given out."""
        found: list[str] = []
        page: str | None = "/replicate/v1/predictions"
        while page:
            answer = self.ask("GET", page)
            for prediction in answer["results"]:
                output = prediction["output"] or []
                found += [output] if isinstance(output, str) else output
            page = answer["next"]
        return found

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return what the lab answers; Trouble where it does not do as it is asked."""
        url = path if path.startswith("http") else self.url + path
        headers = {"Authorization": f"Bearer {TOKEN}"}
        wire = httpx.Client(
            timeout=_TIMEOUT, trust_env=False, verify=trusted(), transport=self.transport
        )
        try:
            with wire as client:
                answer = client.request(method, url, json=body, headers=headers)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise Trouble(f"the lab does not do as it is asked: {error}") from error
        return answer.json() if answer.content else {}


def _left(fault: dict[str, Any]) -> dict[str, Any]:
    """Return what is left of *fault*: how often it struck is told, and not taken."""
    times, struck = fault["times"], fault["struck"]
    rest = {name: value for name, value in fault.items() if name != "struck"}
    return rest if times is None else rest | {"times": times - struck}


def of(folder: Folder) -> Lab:
    """Return the lab of the stack that runs in *folder*; Trouble where it has none."""
    state = folder.read_state() or {"processes": []}
    for one in state["processes"]:
        if one["name"] == "lab":
            return Lab(f"http://127.0.0.1:{one['port']}")
    raise Trouble(
        "this would spend money: it needs a stack whose vendors are the lab's. "
        "`./studio down`, then `./studio up --lab`"
    )
