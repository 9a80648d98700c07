"""
One HTTP answer as it comes off a connection: its head bounded, its body counted.

llhttp (the parser of Node.js, by httptools) is strict about framing: a length beside
chunks, two lengths, or more bytes than were announced are errors there.
"""

import httptools

from services.storage.sources import Failed, Forbidden
from services.storage.wire import BLOCK, TooSlow, Wire

TOO_LONG = "the source took too long"
TOO_SLOW = "the source came too slowly"
_HEAD = 32 * 1024  # bytes; also of what may come between two pieces of a body
_STEP = _HEAD // 8  # bytes of a head that are looked at in one go


class Answer:
    """Read the head, then the body piece by piece; *most* is in bytes as they come."""

    def __init__(self, wire: Wire, most: int) -> None:
        self.headers: dict[str, str] = {}
        self._wire, self._most = wire, most
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []  # has come, and was not read yet
        self._raw = self._idle = 0  # bytes: in all; since the last of the body
        self._left = 1  # bytes of the body; 1 where nobody told, and at least that many come
        self._headed = self._ended = False

    @property
    def status(self) -> int:
        """The status code."""
        found: int = self._parser.get_status_code()
        return found

    @property
    def told(self) -> bool:
        """Whether its end is told, and is not just the end of the connection."""
        return not {"content-length", "transfer-encoding"}.isdisjoint(self.headers)

    async def read_head(self) -> None:
        """Return when the headers have come."""
        while not self._headed:
            await self._take()

    async def read(self) -> bytes:
        """Return the next piece of the body, empty at its end; raises Failed, Forbidden."""
        while not self._body and not self._ended:
            await self._take()
        piece = b"".join(self._body)
        self._body.clear()
        return piece

    async def _take(self) -> None:
        try:
            # As much as surely comes: a wait for each small piece costs more than the piece.
            raw = await self._wire.read(min(self._left, BLOCK) if self._headed else 1)
            if not raw:
                self._cut()
            while raw:
                piece = raw if self._headed else raw[:_STEP]
                self._parser.feed_data(piece)
                self._count(len(piece))
                raw = raw[len(piece) :]
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise Failed("no proper HTTP came") from error
        except TooSlow:
            raise Failed(TOO_SLOW) from None
        except TimeoutError:
            raise Failed(TOO_LONG) from None
        except OSError as error:
            raise Failed("the connection broke") from error

    def _count(self, size: int) -> None:
        self._raw += size
        self._idle = 0 if self._body else self._idle + size
        if self._idle > _HEAD and not self._ended:
            raise Failed(f"more than {_HEAD} bytes of headers came")
        if self._raw > self._most + _HEAD:
            raise Forbidden("size", f"more than {self._most} bytes came", passing=True)

    def _cut(self) -> None:
        """Tell the end of a body that has no other end from a connection that broke."""
        if not self._headed or self.told:
            raise Failed("the connection ended before the answer did")
        self._ended = True

    # -- what the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; one that comes twice is a list."""
        key, said = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {said}" if key in self.headers else said

    def on_headers_complete(self) -> None:
        """Take note of the end of the head."""
        if self._headed:
            raise ValueError("a second head")
        self._headed = True
        self._left = int(self.headers.get("content-length", "1"))

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body."""
        self._body.append(piece)
        self._left = max(1, self._left - len(piece))

    def on_message_complete(self) -> None:
        """Take note of the end."""
        self._ended = True
