"""
API keys, made and revoked by whoever holds the data folder: over gRPC, as a service, with the
stack's own secret. So the first key needs no key.
"""

import re
from collections.abc import Callable
from typing import Any

import grpc

from chassis import identity
from chassis.settings import Secret
from cli.calls import auth_of
from cli.edge import Trouble
from cli.folder import Folder
from cli.screen import print_json, print_table, say
from cli.settings import StackSettings
from imagestudio.catalog.v1 import catalog_service_pb2 as messages
from imagestudio.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub

_PATIENCE = 10.0  # seconds


def create(
    settings: StackSettings, label: str, user: str, scopes: list[str], *, as_json: bool
) -> None:
    answer = make(settings, label, user, scopes)
    new = answer.api_key
    if as_json:
        print_json(_told(new) | {"key": answer.secret})
    else:
        say(f"key {_id(new)} for {user}; keep it, it is not shown again:")
        print(answer.secret, flush=True)  # first: what follows may fail, and nobody can ask again
    if auth_of(settings, Folder(settings.data).read_state() or {}) == "none":
        say("this stack runs with AUTH=none and asks nobody for a key; one with AUTH=keys does")
    if as_json:
        return
    others = [key for key in _all(settings) if key.subject == new.subject and key.name != new.name]
    if any(_state(key) == "good" for key in others):
        say(f"it shares everything with the other keys of {user!r}; --user NAME makes another's")


def make(settings: StackSettings, label: str, user: str, scopes: list[str]) -> Any:
    """Make a key; the answer has it as *secret*, and what is known of it as *api_key*."""
    if not user.strip():
        raise Trouble("--user is empty: name whose key it is, or leave it out for `local`", 400)
    request = messages.CreateApiKeyRequest(label=label, scopes=scopes, subject=user)
    return _ask(settings, lambda stub: stub.CreateApiKey, request)


def list_all(settings: StackSettings, *, as_json: bool) -> None:
    found = _all(settings)
    if as_json:
        return print_json([_told(key) for key in found])
    rows = [
        (_id(key), key.subject, key.hint, " ".join(key.scopes), _state(key), key.label)
        for key in found
    ]
    return print_table(("key", "user", "begins", "scopes", "state", "for"), rows)


def revoke(settings: StackSettings, key: str) -> None:
    number = key.removeprefix("apiKeys/")
    if not re.fullmatch("[0-9]{1,18}", number):
        raise Trouble(f"{key!r} is no key's number: `studio keys list` shows them", 400)
    request = messages.RevokeApiKeyRequest(name=f"apiKeys/{number}")
    answer = _ask(settings, lambda stub: stub.RevokeApiKey, request)
    say(f"key {_id(answer.api_key)} ({answer.api_key.label}) is revoked")


def _all(settings: StackSettings) -> list[Any]:
    found: list[Any] = []
    token = ""
    while True:
        request = messages.ListApiKeysRequest(page_size=1000, page_token=token, all_users=True)
        answer = _ask(settings, lambda stub: stub.ListApiKeys, request)
        found += answer.api_keys
        token = answer.next_page_token
        if not token:
            return found


def _ask(settings: StackSettings, method: Callable[[Any], Any], request: Any) -> Any:
    folder = Folder(settings.data)
    if not settings.service_secret and not folder.read_state():  # in a container there is none
        raise Trouble(f"no stack runs in {folder.path}; ./studio up starts one")
    secret = folder.secret("service_secret", settings.service_secret)
    with grpc.insecure_channel(f"127.0.0.1:{settings.catalog}") as channel:
        call = method(CatalogServiceStub(channel))
        try:
            return call(request, timeout=_PATIENCE, metadata=_metadata(secret), wait_for_ready=True)
        except grpc.RpcError as error:
            bad = error.code() == grpc.StatusCode.INVALID_ARGUMENT
            raise Trouble(error.details() or str(error.code()), 400 if bad else 0) from error


def _metadata(secret: Secret) -> list[tuple[str, str]]:
    caller = identity.Caller(user_id=0, service="cli")
    return [(identity.HEADER, identity.mint(secret.reveal().encode(), caller))]


def _told(key: Any) -> dict[str, Any]:
    return {
        "id": _id(key),
        "user": key.subject,
        "label": key.label,
        "scopes": list(key.scopes),
        "hint": key.hint,
        "created_at": key.create_time.ToJsonString(),
        "revoked_at": key.revoke_time.ToJsonString() if key.HasField("revoke_time") else None,
    }


def _id(key: Any) -> str:
    return str(key.name).rpartition("/")[2]


def _state(key: Any) -> str:
    return "revoked" if key.HasField("revoke_time") else "good"
