"""
The guarded download: a vendor's picture, streamed, from where it may come from and no other.

A picture that was paid for may come over a slow line: it has half of a link's hour, as long as
it goes on coming. A cap on the bytes, redirects judged anew, no credentials.
Compression is not asked for; gzip that comes all the same is unpacked under the same cap.
What is no picture is never yielded: an error page must not be kept as one.

Who may name any host is told the same of all that do not answer: else anybody could ask
which names there are inside our network, and what listens.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from chassis import logs
from chassis.faults import point
from services.storage.answers import TOO_LONG, Answer
from services.storage.dial import Dialer
from services.storage.inspect import UNKNOWN, Inspector
from services.storage.sources import Failed, Forbidden, Gone, Link, Policy, Target, Trouble
from services.storage.unpacking import ENCODINGS, Unpacked
from services.storage.wire import Wire, unheard

MOST = 100 * 1024 * 1024  # bytes of a picture that was paid for
PATIENCE = 1800.0  # seconds for all of it: a link lives for an hour, and may need a second try
_WINDOW, _LEAST = 45.0, 64 * 1024  # seconds in which so many bytes come at the least
_USUAL = 4 * _LEAST  # bytes likewise of a line that nobody calls slow
NO_ANSWER = "no web server at a public address answered in time"
_REDIRECTS = 3
_MOVED = frozenset({301, 302, 303, 307, 308})
_GONE = 410  # for good; a 404 is also what a file that is not everywhere yet gets
_LATER = frozenset({408, 425, 429})
_LOOK = 16 * 1024  # bytes in which a picture shows what it is
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\f\r\x1b"))  # no text has them (WHATWG, binary data)

log = logs.get()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """
    Fetches what *policy* allows, of *most* bytes, within *patience* seconds.

    Whoever brings less than *least* bytes in *window* seconds is hung up on: a drip of a few
    bytes outlives a limit on each read. Who brings less than *usual* is told of as slow.
    """

    policy: Policy
    dialer: Dialer
    patience: float = PATIENCE
    most: int = MOST
    window: float = _WINDOW
    least: int = _LEAST
    usual: int = _USUAL

    async def pictured(
        self, link: Link, slow: Callable[[], None] = unheard
    ) -> AsyncGenerator[bytes]:
        """Yield the bytes behind *link* to their proven end, and tell *slow*; raises Trouble."""
        deadline = asyncio.get_running_loop().time() + self.patience
        target = self.policy.target(link.url, link.provider)
        for _ in range(_REDIRECTS + 1):
            point("storage.fetch.before_dial")
            with closing(await self._open(target, deadline)) as wire:
                wire.keep_up(self.window, self.least, self.usual, slow)
                answer = await self._ask(wire, target)
                if answer.status not in _MOVED:
                    self._check(answer)
                    async for piece in _picture(self._body(answer), answer):
                        yield piece
                    point("storage.fetch.after_body")
                    return
            location = answer.headers.get("location", "")
            target = self.policy.redirected(target, location, link.provider)
        raise Forbidden("redirects", f"more than {_REDIRECTS} redirects", passing=True)

    async def _open(self, target: Target, deadline: float) -> Wire:
        """Connect; no read waits beyond *deadline*."""
        soon = asyncio.get_running_loop().time() + self.window
        with self._discreet(target):
            try:
                async with asyncio.timeout_at(min(soon, deadline)):
                    wire = await self.dialer.open(target)
            except TimeoutError:
                raise Failed(TOO_LONG) from None
        wire.end_at(deadline)
        return wire

    async def _ask(self, wire: Wire, target: Target) -> Answer:
        wire.write(
            f"GET {target.path} HTTP/1.1\r\nHost: {target.authority}\r\nAccept: image/*\r\n"
            "Accept-Encoding: identity\r\nConnection: close\r\n\r\n".encode("ascii")
        )
        answer = Answer(wire, self.most)
        with self._discreet(target):
            await answer.read_head()
        return answer

    @contextmanager
    def _discreet(self, target: Target) -> Iterator[None]:
        """Log why *target* has not answered; whoever may name any host is not told."""
        try:
            yield
        except Trouble as trouble:
            cause = repr(trouble.__cause__ or "")
            log.info("a source did not answer", host=target.host, why=str(trouble), cause=cause)
            if not self.policy.any_host:
                raise
            raise Failed(NO_ANSWER) from trouble

    def _check(self, answer: Answer) -> None:
        headers = answer.headers
        if 400 <= answer.status < 500 and answer.status not in _LATER:
            passing, date = answer.status != _GONE, _date(headers.get("date", ""))
            raise Gone(answer.status, passing=passing, date=date)
        if answer.status != 200:
            wait = headers.get("retry-after", "")
            seconds = float(wait) if wait.isascii() and wait.isdecimal() else None
            raise Failed(f"the source answered HTTP {answer.status}", seconds)
        if _encoding(answer) not in ENCODINGS | {"identity"}:
            raise Failed(f"the source is compressed as nobody asked for: {_encoding(answer)[:40]}")
        if headers.get("transfer-encoding", "chunked").lower() != "chunked":
            raise Failed("the source comes in an encoding that was not asked for")
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self.most:
            why = f"the source has {length} bytes, more than {self.most}"
            raise Forbidden("size", why, passing=True)

    def _body(self, answer: Answer) -> Answer | Unpacked:
        return Unpacked(answer, self.most) if _encoding(answer) in ENCODINGS else answer


def _encoding(answer: Answer) -> str:
    return answer.headers.get("content-encoding", "").strip().lower() or "identity"


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)


async def _picture(body: Answer | Unpacked, answer: Answer) -> AsyncGenerator[bytes]:
    """Yield the *body* of *answer* once its beginning is no page's."""
    inspector, held = Inspector(), b""
    piece = await body.read()
    while piece and len(held) < _LOOK:
        inspector.feed(piece[:_LOOK] if body.told else piece)
        held += piece
        piece = await body.read()
    if inspector.media_type == UNKNOWN and _is_page(held, answer.headers.get("content-type", "")):
        raise Failed("the source answered with a page in place of a picture")
    yield held
    while piece:
        if not body.told:
            inspector.feed(piece)
        yield piece
        piece = await body.read()
    inspector.end()
    if not body.told and not inspector.picture.readable:
        raise Failed("the connection ended, and the picture did not")


def _is_page(head: bytes, content_type: str) -> bool:
    """Tell a page from a picture of a kind that we do not know, which is kept all the same."""
    said = content_type.partition(";")[0].strip().lower()
    if said == "image/svg+xml" and b"<svg" in head:
        return False  # one that is too odd for us to read
    return said.startswith("text/") or said.endswith(("json", "xml")) or _is_text(head)


def _is_text(head: bytes) -> bool:
    return len(head.translate(None, _CONTROLS)) == len(head)
