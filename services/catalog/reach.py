"""
The database before anybody is connected to it: where it is, who we are there, whether it is away.

It imports little, since the start of a stack waits for `migrate`.
"""

import os

import asyncpg

from chassis.settings import SettingsError, give_up

ROLES = ("studio_user", "studio_ledger")


def given_url() -> str:
    """DATABASE_URL, for a program of one errand; ends it as EX_CONFIG where that is not set."""
    url = os.environ.get("DATABASE_URL")
    if not url:
        give_up(SettingsError(["DATABASE_URL is not set: postgresql://…"]))
    return url


def is_gone(error: BaseException) -> bool:
    """Whether *error* says that the database is away or busy, not that we asked wrongly."""
    if isinstance(error, asyncpg.InterfaceError):
        return "clos" in str(error)  # "connection is closed", "pool is closing"; else our misuse
    return isinstance(error, _GONE)


_GONE = (
    OSError,  # TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.InternalClientError,  # the connection was cut in the middle of an answer
    asyncpg.TooManyConnectionsError,
    asyncpg.exceptions.TransactionRollbackError,  # given up for a rival's: nothing was done
    asyncpg.exceptions.OperatorInterventionError,  # shutting down, starting up, timed out
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
)
