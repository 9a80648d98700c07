"""
httpx as tests ask by it: what a busy machine answers late is no failure of what is asked.

Its own five seconds are a promise that nobody made; where time is what a test is about, it says so.
"""

import ssl
from functools import partial

import httpx

PATIENCE = 60.0  # seconds
# All that is asked is on this machine and in plain HTTP. httpx reads every root certificate that
# it ships with at each call, 40 ms of a core: most of what a test that polls would cost.
NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

get = partial(httpx.get, timeout=PATIENCE, verify=NOBODY)
head = partial(httpx.head, timeout=PATIENCE, verify=NOBODY)
options = partial(httpx.options, timeout=PATIENCE, verify=NOBODY)
post = partial(httpx.post, timeout=PATIENCE, verify=NOBODY)
put = partial(httpx.put, timeout=PATIENCE, verify=NOBODY)
patch = partial(httpx.patch, timeout=PATIENCE, verify=NOBODY)
delete = partial(httpx.delete, timeout=PATIENCE, verify=NOBODY)
request = partial(httpx.request, timeout=PATIENCE, verify=NOBODY)
stream = partial(httpx.stream, timeout=PATIENCE, verify=NOBODY)
Client = partial(httpx.Client, timeout=PATIENCE, verify=NOBODY)
AsyncClient = partial(httpx.AsyncClient, timeout=PATIENCE, verify=NOBODY)
