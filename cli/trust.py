"""Whom the CLI trusts over TLS, read once: a client of its own for each call takes 36 ms else."""

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """The roots that httpx comes with; nothing of the environment changes them."""
    return httpx.create_ssl_context(trust_env=False)
