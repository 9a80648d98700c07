"""A form with one file in it, as it goes over the wire in pieces (RFC 7578)."""

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Plain *fields*, then the file's *size* bytes under the name `file`."""

    fields: Mapping[str, str]
    filename: str
    media_type: str
    size: int
    boundary: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def headers(self) -> dict[str, str]:
        """Type and length of the whole: what is known is not sent chunked."""
        length = len(self._head()) + self.size + len(self._tail())
        return {
            "Content-Type": f"multipart/form-data; boundary={self.boundary}",
            "Content-Length": str(length),
        }

    async def body(self, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the form around *content*, block by block."""
        yield self._head()
        async with aclosing(content) as blocks:  # type: ignore[type-var]
            async for block in blocks:
                yield block
        yield self._tail()

    def _head(self) -> bytes:
        parts = [
            self._part(f'name="{name}"', "text/plain; charset=utf-8") + text.encode() + b"\r\n"
            for name, text in self.fields.items()
        ]
        file = self._part(f'name="file"; filename="{self.filename}"', self.media_type)
        return b"".join(parts) + file

    def _part(self, said: str, media_type: str) -> bytes:
        disposition = f"Content-Disposition: form-data; {said}"
        return (
            f"--{self.boundary}\r\n{disposition}\r\nContent-Type: {media_type}\r\n\r\n"
        ).encode()

    def _tail(self) -> bytes:
        return f"\r\n--{self.boundary}--\r\n".encode()
