"""Whose orders ours are at a provider: what it lists to another account proves nothing of them."""

import asyncio
import contextvars
import hashlib
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic

from chassis import logs
from chassis.beside import Beside

_PATIENCE = 2.0  # seconds in which it must be told: an order does not wait for it
_AGAIN = 30.0  # seconds from one question that was in vain to the next
_LONGEST = 200  # characters
_MARK = "token:"  # in no name: those are of a kind and a name with "/" between
log = logs.get()


def named(*parts: object) -> str:
    """What names an account, of what a provider tells of it; ValueError where that is no name."""
    words = [each for each in parts if isinstance(each, str) and each and each.isprintable()]
    if len(words) < len(parts) or len(name := "/".join(words)) > _LONGEST:
        raise ValueError("no name of an account")
    return name


def mark(token: str) -> str:
    """
    What stands for the account of *token* where that does not tell its name.

    Whoever has the same token has the same account; nobody can turn it back into the token.
    """
    return _MARK + hashlib.sha256(f"an account, by its {_MARK}{token}".encode()).hexdigest()[:32]


@dataclass(slots=True)
class Account:
    """
    Its *name*, empty while it is not known; once told it stays: a process has one token.

    *token* is the `mark` of that one.
    """

    name: str = ""
    token: str = ""
    clock: Callable[[], float] = monotonic
    beside: Beside = field(default_factory=Beside, repr=False)
    _began: float = -math.inf
    _asking: asyncio.Task[None] | None = None

    async def told(self, ask: Callable[[], Awaitable[str]]) -> str:
        """The name, which *ask* brings; empty where that fails or takes too long."""
        if not self.name and self._asking is None and self.clock() - self._began >= _AGAIN:
            self._began = self.clock()
            nobody = contextvars.Context()  # it asks for all, whoever came first
            self._asking = nobody.run(self.beside.start, self._ask(ask))
        if self._asking:
            left = self._began + _PATIENCE - self.clock()
            await asyncio.wait([self._asking], timeout=max(0.0, left))
        return self.name

    async def is_of(self, account: str, ask: Callable[[], Awaitable[str]]) -> bool | None:
        """Whether *account*, a name or a mark, is this one; None where nobody knows."""
        if account and account == self.token:
            return True
        if not account or account.startswith(_MARK):
            return None
        name = await self.told(ask)
        return name == account if name else None

    async def _ask(self, ask: Callable[[], Awaitable[str]]) -> None:
        try:
            self.name = await ask()
        except Exception as error:
            log.warning("a provider does not tell our account with it", error=repr(error))
        finally:
            self._asking = None
