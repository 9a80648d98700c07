"""
Input images at Replicate: a small one goes inside the order, another is uploaded before it.

An upload is free and buys nothing, so that what goes wrong here is Unavailable or Refused.
One is used again for as long as it surely lives: the calls of a job have the same images.
It goes on beside the order that began it: a large one on a slow line takes longer than any
order may wait, which is then sent back and finds it the next time.
"""

import asyncio
import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import unquote_to_bytes

import httpx

from chassis import faults
from chassis.beside import Beside
from services.generator import masks
from services.generator import provider as seam
from services.generator.models import Slot
from services.generator.providers import transport

INSIDE = 256_000  # characters of a data URL that an order may hold
INSIDE_ALL = 2 * INSIDE  # of all of its own: Replicate's list shows them again, 100 orders a page
_PATH = "/v1/files"
_UPLOAD, _SLOWEST = 20.0, 64_000  # seconds for one, and bytes a second that take more
_LIVES = 30 * 60.0  # seconds: what a prediction was given goes an hour after its end
_REMEMBERED = 1000  # uploads
_NO_CREDIT = "Replicate says that the account is empty: add credit at replicate.com/account/billing"
_NOT_KNOWN = (
    "Replicate does not take the token: set REPLICATE_API_TOKEN to a valid one, then start anew"
)
_AGAIN = (408, 425, 429)
_NAMES = {"image/png": "reference.png", "image/jpeg": "reference.jpg"}
Given = dict[str, str | list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Turns references into what the inputs of *slots*, by the model's slug, take."""

    http: httpx.AsyncClient
    pictures: seam.Pictures
    slots: Mapping[str, Sequence[Slot]]
    clock: Callable[[], float] = monotonic
    beside: Beside = field(default_factory=Beside, repr=False)
    _urls: dict[tuple[str, bool], tuple[str, float]] = field(default_factory=dict, repr=False)
    _uploads: dict[tuple[str, bool], asyncio.Task[str]] = field(default_factory=dict, repr=False)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(4), repr=False)
    _lines: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(4), repr=False)

    async def given(self, order: seam.Order, *, until: float) -> Given:
        """
        Return the inputs that *order*'s references are, by the loop's time *until*.

        Raises Unavailable or Refused: nothing is bought. Unhanded where the time went by.
        """
        try:
            async with asyncio.timeout_at(until):
                return await self._given(order)
        except TimeoutError as error:
            why = "its input images could not be handed over in time"
            raise seam.Unhanded(why) from error

    async def _given(self, order: seam.Order) -> Given:
        found: Given = {}
        left = INSIDE_ALL
        for slot, chosen in self._chosen(order):
            urls = []
            for each in chosen:
                urls.append(await self._url(each, slot, min(INSIDE, left)))
                left -= len(urls[-1])
            found[slot.input] = urls if slot.many else urls[0]
        return found

    def _chosen(self, order: seam.Order) -> list[tuple[Slot, list[seam.Reference]]]:
        """The references of each slot, in their order; Refused where one has none."""
        slots = self.slots.get(order.slug, ())
        taken: dict[str, list[seam.Reference]] = {}
        for each in order.references:
            slot = next((slot for slot in slots if each.role in slot.roles), None)
            if slot is None:
                raise seam.Refused(f"{order.slug} takes no input image for {each.role.value}")
            taken.setdefault(slot.input, []).append(each)
        return [(slot, taken[slot.input]) for slot in slots if slot.input in taken]

    async def _url(self, reference: seam.Reference, slot: Slot, room: int) -> str:
        key = reference.asset, slot.inverted
        async with self._turns:
            if url := self._known(key):
                return url
            if key not in self._uploads:
                content = await self.pictures.read(reference.asset)
                if slot.inverted:
                    content = await asyncio.to_thread(masks.inverted, content)
                inside = f"data:{reference.media_type};base64,{base64.b64encode(content).decode()}"
                if len(inside) <= room:
                    return inside
        if key not in self._uploads:
            self._begin(key, content, reference.media_type)
        return await asyncio.shield(self._uploads[key])  # whoever waits for it may give up

    def _known(self, key: tuple[str, bool]) -> str:
        url, since = self._urls.get(key, ("", 0.0))
        return url if self.clock() - since < _LIVES else ""

    def _begin(self, key: tuple[str, bool], content: bytes, media_type: str) -> None:
        """Upload it beside whatever order needs it, and remember where it is."""

        def ended(task: asyncio.Task[str]) -> None:
            del self._uploads[key]
            if not task.cancelled() and task.exception() is None:
                self._remember(key, task.result(), began)

        began = self.clock()
        self._uploads[key] = self.beside.start(self._uploaded(content, media_type))
        self._uploads[key].add_done_callback(ended)

    async def _uploaded(self, content: bytes, media_type: str) -> str:
        name = _NAMES.get(media_type, "reference")
        wait = _UPLOAD + len(content) / _SLOWEST
        async with self._lines:
            faults.point("upload.before_call")
            asking = self.http.post(_PATH, files={"content": (name, content, media_type)})
            try:
                answer = await transport.answer(asking, wait, never_sent=seam.Unavailable)
            except seam.Unclear as error:  # an upload that may be there is none that was bought
                raise seam.Unhanded(f"an input image was not uploaded: {error}") from error
            faults.point("upload.after_call")
        url = _found(transport.plainly(answer), "urls", "get")
        if answer.is_success and isinstance(url, str) and url:
            return url
        if answer.status_code == 429:
            raise transport.busy(answer)
        if answer.is_client_error and answer.status_code not in _AGAIN:
            raise refused(answer)
        raise transport.error(seam.Unhanded, answer)

    def _remember(self, key: tuple[str, bool], url: str, since: float) -> None:
        if len(self._urls) >= _REMEMBERED:
            self._urls.clear()
        self._urls[key] = url, since

    # -- afterwards: whether a prediction was given the same

    async def same(self, order: seam.Order, inputs: Mapping[str, Any]) -> bool | None:
        """Whether *inputs*, as a prediction tells them, hold *order*'s; None: nobody can tell."""
        chosen = {slot.input: found for slot, found in self._chosen(order)}
        sure: bool | None = True
        for slot in self.slots.get(order.slug, ()):
            ours, told = chosen.get(slot.input, []), inputs.get(slot.input) or []
            if slot.input in order.inputs:  # its parameters name one in their own words
                continue
            urls = told if isinstance(told, list) else [told]
            if len(urls) != len(ours):
                return False
            for url, reference in zip(urls, ours, strict=True):
                match await self._is(url, reference, slot):
                    case False:
                        return False
                    case None:
                        sure = None
        return sure

    async def _is(self, url: object, reference: seam.Reference, slot: Slot) -> bool | None:
        """Whether *reference* is behind *url*; a mask that was packed elsewhere looks another."""
        found = await self._hash(url)
        if found is None or not slot.inverted:
            return None if found is None else found == reference.asset
        try:
            mask = await self.pictures.read(reference.asset)
            ours = await asyncio.to_thread(masks.inverted, mask)
        except seam.ProviderError:
            return None
        return True if hashlib.sha256(ours).hexdigest() == found else None

    async def _hash(self, url: object) -> str | None:
        """The SHA-256 of what is behind a *url* that we gave; None where nobody tells it."""
        if not isinstance(url, str):
            return None
        if url.startswith("data:"):
            return hashlib.sha256(_inside(url)).hexdigest()
        base = str(self.http.base_url).rstrip("/")
        if not url.startswith(f"{base}{_PATH}/"):
            return None
        answer = await transport.answer(self.http.get(url), _UPLOAD)
        found = _found(transport.plainly(answer), "checksums", "sha256")
        return found if answer.is_success and isinstance(found, str) else None


def refused(answer: httpx.Response) -> seam.ProviderError:
    """What an answer of Replicate's refuses."""
    return transport.refused(answer, no_credit=_NO_CREDIT, not_known=_NOT_KNOWN)


def _found(told: Mapping[str, Any], part: str, name: str) -> object:
    within = told.get(part)
    return within.get(name) if isinstance(within, dict) else None


def _inside(url: str) -> bytes:
    try:
        return base64.b64decode(unquote_to_bytes(url.partition(",")[2]), validate=True)
    except ValueError:
        return b""
