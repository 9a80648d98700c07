"""
Who may do what: every route and RPC, asked by its owner, by another user and by nobody.

The rows are compared with OpenAPI and with each service's reflection: a route or RPC
without a row fails, and so does a row without a route.
"""

import asyncio
import json
import time
from dataclasses import dataclass, field

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from tests import patient
from tests.system.client import frames, generate
from tests.system.stack import running_stack

DRAW = {"prompt": "a lighthouse", "models": ["sketch"], "size": "64x64"}
DRAW_WORDS = {"prompt": "a lighthouse"}
SETTLE = {"purchase_id": "{purchase}", "charged": False}
SERVICES = {
    "imagestudio.generator.v1.GeneratorService": "GENERATOR_PORT",
    "imagestudio.storage.v1.StorageService": "STORAGE_PORT",
    "imagestudio.catalog.v1.CatalogService": "CATALOG_PORT",
    "imagestudio.catalog.v1.LedgerService": "CATALOG_PORT",
}


@dataclass(frozen=True)
class Theirs:
    """Two users with a key each, and what the first one has."""

    url: str
    owner: str = field(repr=False)
    other: str = field(repr=False)
    job: str
    purchase: str
    variant: str
    preset: str
    key: str
    link: str
    hash: str
    stack: object

    def fill(self, text: str) -> str:
        names = ("job", "purchase", "variant", "preset", "key", "link", "hash")
        for name in names:
            text = text.replace("{" + name + "}", getattr(self, name))
        return text


@pytest.fixture(scope="module")
def theirs():
    with running_stack(AUTH="keys") as stack:
        keys = []
        for subject in ("owner", "other"):
            made = stack.studio(
                *("keys", "create", subject, "--user", subject, "--json"),
                *("--scope", "generate", "--scope", "read", "--scope", "write"),
                *("--scope", "keys", "--scope", "caps"),
            )
            assert made.returncode == 0, made.stderr
            keys.append(json.loads(made.stdout))
        owner, other = (made["key"] for made in keys)
        job = generate(stack.url, DRAW, owner).completed
        image = job["images"][0]
        preset = patient.post(
            f"{stack.url}/images/presets",
            json={"preset_key": "mine", "name": "Mine"},
            headers={"Authorization": f"Bearer {owner}"},
        ).json()
        yield Theirs(
            stack.url, owner, other, job["job_id"], image["purchase_id"], image["variant_id"],
            str(preset["preset_id"]), keys[0]["id"], image["url"].rpartition("/")[2],
            image["image_hash"], stack,
        )  # fmt: skip


# (method, route of OpenAPI): (path, body, status for owner, other, nobody)
ROUTES = {
    ("POST", "/images/generate/stream"): ("/images/generate/stream", DRAW, 200, 200, 401),
    ("POST", "/images/generate"): ("/images/generate", DRAW, 202, 202, 401),
    ("POST", "/images/estimate"): ("/images/estimate", DRAW, 200, 200, 401),
    ("POST", "/images/references"): ("/images/references", {"no": "picture"}, 400, 400, 401),
    ("GET", "/images/jobs"): ("/images/jobs", None, 200, 200, 401),
    ("GET", "/images/jobs/{job_id}"): ("/images/jobs/{job}", None, 200, 404, 401),
    ("GET", "/images/jobs/{job_id}/events"): ("/images/jobs/{job}/events", None, 200, 404, 401),
    ("POST", "/images/jobs/{job_id}/cancel"): ("/images/jobs/{job}/cancel", None, 200, 404, 401),
    ("POST", "/images/jobs/{job_id}/retry-unclear"): (
        "/images/jobs/{job}/retry-unclear", None, 409, 404, 401),
    ("POST", "/images/jobs/{job_id}/settle"): (
        "/images/jobs/{job}/settle", SETTLE, 409, 404, 401),
    ("GET", "/images/events"): ("/images/events", None, 200, 200, 401),
    ("GET", "/images/variants"): ("/images/variants", None, 200, 200, 401),
    ("GET", "/images/variants/{variant_id}"): ("/images/variants/{variant}", None, 200, 404, 401),
    ("PATCH", "/images/variants/{variant_id}"): (
        "/images/variants/{variant}", {"is_favorite": True}, 200, 404, 401),
    ("DELETE", "/images/variants/{variant_id}"): (
        "/images/variants/{variant}", None, 200, 404, 401),
    ("POST", "/images/variants/{variant_id}/restore"): (
        "/images/variants/{variant}/restore", None, 200, 404, 401),
    ("GET", "/images/presets"): ("/images/presets", None, 200, 200, 401),
    ("POST", "/images/presets"): (
        "/images/presets", {"preset_key": "new", "name": "New"}, 201, 201, 401),
    ("GET", "/images/presets/{preset}"): ("/images/presets/{preset}", None, 200, 404, 401),
    ("PATCH", "/images/presets/{preset}"): (
        "/images/presets/{preset}", {"name": "Renamed"}, 200, 404, 401),
    ("DELETE", "/images/presets/{preset}"): ("/images/presets/{preset}", None, 204, 404, 401),
    ("POST", "/images/prompt-suggestions/stream"): (
        "/images/prompt-suggestions/stream", {"seed_text": "the sea"}, 200, 200, 401),
    ("POST", "/images/analyze-references/stream"): (
        "/images/analyze-references/stream", {"references": [{"id": "{hash}"}]}, 200, 404, 401),
    ("POST", "/images/enhance-prompt"): ("/images/enhance-prompt", DRAW_WORDS, 409, 409, 401),
    ("GET", "/images/models"): ("/images/models", None, 200, 200, 401),
    ("GET", "/images/usage"): ("/images/usage", None, 200, 200, 401),
    ("PUT", "/images/usage/cap"): ("/images/usage/cap", {"cap_usd": None}, 200, 200, 401),
    ("GET", "/i/{link}"): ("/i/{link}", None, 200, 200, 200),
    ("GET", "/i/{link}/thumbnail"): ("/i/{link}/thumbnail", None, 200, 200, 200),
    ("POST", "/webhooks/{provider}"): ("/webhooks/replicate", {}, 404, 404, 404),
    ("GET", "/healthz"): ("/healthz", None, 200, 200, 200),
    ("GET", "/readyz"): ("/readyz", None, 200, 200, 200),
}  # fmt: skip

# Whoever asks first must not take away what the next one asks for.
LAST = [("DELETE", "/images/presets/{preset}")]
ORDER = sorted(ROUTES, key=lambda row: (row in LAST, row[1], row[0] != "DELETE"))

OK, MISSING, UNKNOWN, DENIED = "OK", "NOT_FOUND", "UNAUTHENTICATED", "PERMISSION_DENIED"
SPEC = {"spec": {"prompt": "a lighthouse", "size": {"width": 64, "height": 64}}}
JOB = {"name": "jobs/{job}"}
VARIANT = {"name": "jobs/-/variants/{variant}"}
ALL = (OK, OK, UNKNOWN)  # each his own
OWN = (OK, MISSING, UNKNOWN)
SERVICE = (DENIED, DENIED, UNKNOWN)
RPCS = {
    "GeneratorService/StartGeneration": (SPEC, ALL),
    "GeneratorService/GenerateImages": (SPEC, ALL),
    "GeneratorService/WatchGeneration": (JOB, OWN),
    "GeneratorService/GetGeneration": (JOB, OWN),
    "GeneratorService/CancelGeneration": (JOB, OWN),
    "GeneratorService/RetryUnclear": (JOB, ("FAILED_PRECONDITION", MISSING, UNKNOWN)),
    "GeneratorService/EstimateCost": (SPEC, ALL),
    "GeneratorService/ListModels": ({}, ALL),
    "GeneratorService/SuggestPrompts": ({"seed_text": "the sea"}, ALL),
    "GeneratorService/AnalyzeReferences": (
        {"references": [{"asset": "assets/{hash}"}]}, OWN),
    "GeneratorService/EnhancePrompt": (  # no language model is set up
        DRAW_WORDS, ("FAILED_PRECONDITION", "FAILED_PRECONDITION", UNKNOWN)),
    "GeneratorService/ReceiveWebhook": ({"provider": "replicate"}, SERVICE),
    "StorageService/ImportAsset": ({"source_uri": "receipt:x#0-1"}, SERVICE),
    "StorageService/UploadAsset": ({"header": {"size_bytes": 3}},
                                   ("INVALID_ARGUMENT", "INVALID_ARGUMENT", UNKNOWN)),
    "StorageService/PrepareReference": ({"asset": "assets/{hash}"}, SERVICE),
    "StorageService/PutReceipt": ({"header": {"purchase_id": "x"}}, SERVICE),
    "StorageService/DownloadAsset": ({"name": "assets/{hash}"}, OWN),
    "StorageService/GetAsset": ({"name": "assets/{hash}"}, OWN),
    "StorageService/GetRoom": ({}, SERVICE),
    "StorageService/RecordVariants": ({}, SERVICE),
    "StorageService/PublishAsset": ({"name": "assets/{hash}", "display_name": "x"}, SERVICE),
    "StorageService/DeleteAsset": ({"name": "assets/{hash}"},
                                   ("FAILED_PRECONDITION", MISSING, UNKNOWN)),
    "CatalogService/GetJob": (JOB, OWN),
    "CatalogService/ListJobs": ({}, ALL),
    "CatalogService/GetVariant": (VARIANT, OWN),
    "CatalogService/ListVariants": ({"parent": "jobs/-"}, ALL),
    "CatalogService/SearchVariants": ({"parent": "jobs/-", "filter": {"query": "sea"}}, ALL),
    "CatalogService/UpdateVariant": (
        {"variant": {**VARIANT, "is_favorite": True}, "update_mask": "isFavorite"}, OWN),
    "CatalogService/DeleteVariant": (VARIANT, OWN),
    "CatalogService/RestoreVariant": (VARIANT, OWN),
    "CatalogService/CreatePreset": ({"preset": {"preset_key": "x1", "display_name": "X"}}, ALL),
    "CatalogService/GetPreset": ({"name": "presets/mine2"}, OWN),
    "CatalogService/ListPresets": ({}, ALL),
    "CatalogService/UpdatePreset": (
        {"preset": {"name": "presets/mine2", "display_name": "Y"},
         "update_mask": "displayName"}, OWN),
    "CatalogService/DeletePreset": ({"name": "presets/mine2"}, OWN),
    "CatalogService/GetUsage": ({}, ALL),
    "CatalogService/SettleCharge": (
        JOB | {"purchase_id": "{purchase}", "charged": "CHARGED_NO"},
        ("FAILED_PRECONDITION", MISSING, UNKNOWN)),
    "CatalogService/WatchUser": ({}, ALL),
    "CatalogService/UpdateSpendCap": ({"cap_usd_micros": 1000}, ALL),
    "CatalogService/CreateApiKey": ({"label": "x"}, ALL),
    "CatalogService/ListApiKeys": ({}, ALL),
    "CatalogService/RevokeApiKey": ({"name": "apiKeys/{key}"}, OWN),
    "LedgerService/Admit": ({}, SERVICE),
    "LedgerService/AdmitMany": ({}, SERVICE),
    "LedgerService/Apply": ({}, SERVICE),
    "LedgerService/RequestCancel": (JOB, SERVICE),
    "LedgerService/ReadUnclear": ({"job": "jobs/{job}"}, SERVICE),
    "LedgerService/ReadAdmitted": ({}, SERVICE),
    "LedgerService/ReadEvents": ({"job": "jobs/{job}"}, SERVICE),
    "LedgerService/StoreWebhook": ({"webhook_id": "m", "ticket": "t"}, SERVICE),
    "LedgerService/FindStrays": ({"provider": "replicate"}, SERVICE),
    "LedgerService/BeginListing": ({"provider": "replicate"}, SERVICE),
    "LedgerService/Heartbeat": ({"worker_id": "w"}, SERVICE),
    "LedgerService/RecordFile": ({}, SERVICE),
    "LedgerService/ForgetFile": ({"image_hash": "{hash}"}, SERVICE),
    "LedgerService/ReserveSpending": ({}, SERVICE),
    "LedgerService/SettleSpending": ({}, SERVICE),
    "LedgerService/ResolveCredential": ({"subject": "owner"}, SERVICE),
    "LedgerService/ReadPositions": ({"jobs": ["jobs/{job}"]}, SERVICE),
}  # fmt: skip


def test_every_route_has_a_row(theirs):
    described = patient.get(f"{theirs.url}/openapi.json").json()
    routes = {
        (method.upper(), path) for path, found in described["paths"].items() for method in found
    }
    assert routes == set(ROUTES)


def test_routes_are_open_to_whom_their_row_says(theirs):
    """One test for all rows: they change what the next ones see, in this order."""
    wrong = []
    for row in ORDER:
        path, body, *expected = ROUTES[row]
        for who, wanted in reversed(list(zip(("owner", "other", "nobody"), expected, strict=True))):
            filled = json.loads(theirs.fill(json.dumps(body)))
            status = _ask(theirs, row[0], theirs.fill(path), filled, who)
            if status != wanted:
                wrong.append(f"{row[0]} {path} by {who}: {status}, not {wanted}")
    assert not wrong


def _ask(theirs, method, path, body, who):
    key = {"owner": theirs.owner, "other": theirs.other}.get(who)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with patient.Client(base_url=theirs.url, headers=headers) as http:
        if path.endswith(theirs.preset) and method == "PATCH":
            headers["If-Match"] = http.get(path).headers.get("etag", '"1"')
        if path == "/images/events":  # it has no end
            with http.stream(method, path) as answer:
                return answer.status_code
        return http.request(method, path, json=body, headers=headers).status_code


@pytest.fixture(scope="module")
def methods(theirs):
    """Every RPC of every service, told by reflection, with how to call it."""
    found = {}
    for service, setting in SERVICES.items():
        channel = grpc.insecure_channel(f"127.0.0.1:{theirs.stack.port(setting)}")
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        for method in pool.FindServiceByName(service).methods:
            found[f"{service.rpartition('.')[2]}/{method.name}"] = (channel, service, method)
    return found


def test_every_rpc_has_a_row(methods):
    assert set(methods) == set(RPCS)


def test_rpcs_are_open_to_whom_their_row_says(theirs, methods):
    wrong = []
    last = ("CatalogService/DeletePreset", "CatalogService/RevokeApiKey")
    assert _ask(theirs, "POST", "/images/presets", PRESET, "owner") == 201
    for name in sorted(RPCS, key=lambda name: last.index(name) if name in last else -1):
        body, expected = RPCS[name]
        for who, wanted in reversed(list(zip(("owner", "other", None), expected, strict=True))):
            filled = theirs.fill(json.dumps(body))
            code = _call(methods[name], filled, getattr(theirs, who) if who else None)
            if code != wanted:
                wrong.append(f"{name} by {who}: {code}, not {wanted}")
    assert not wrong


PRESET = {"preset_key": "mine2", "name": "Mine, too"}


def _call(method, body, key):
    channel, service, described = method
    request = json_format.Parse(body, GetMessageClass(described.input_type)())
    kind = "stream" if described.client_streaming else "unary"
    kind += "_stream" if described.server_streaming else "_unary"
    call = getattr(channel, kind)(
        f"/{service}/{described.name}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=GetMessageClass(described.output_type).FromString,
    )
    metadata = (("authorization", f"Bearer {key}"),) if key else ()
    given = iter([request]) if described.client_streaming else request
    try:
        answer = call(given, timeout=60, metadata=metadata)
        if described.name == "WatchUser":  # it has no end
            next(answer)
            answer.cancel()
        elif described.server_streaming:
            list(answer)
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


async def test_the_ledger_is_not_routed_by_envoy(theirs):
    async with grpc.aio.insecure_channel(theirs.url.removeprefix("http://")) as channel:
        call = channel.unary_unary("/imagestudio.catalog.v1.LedgerService/Heartbeat")
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await asyncio.wait_for(call(b"", timeout=60), 120)
    assert refusal.value.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND)


def test_another_users_picture_and_none_at_all_answer_alike(theirs):
    answers = []
    for variant in (theirs.variant, "999999999"):
        found = patient.get(
            f"{theirs.url}/images/variants/{variant}",
            headers={"Authorization": f"Bearer {theirs.other}"},
        )
        answers.append((found.status_code, found.text.replace(variant, "N")))
    assert answers[0] == answers[1]


def test_a_feed_ends_when_its_key_is_revoked(theirs):
    mine, other = (
        json.loads(theirs.stack.studio("keys", "create", "brief", "--user", "f", "--json").stdout)
        for _ in range(2)
    )
    headers = {"Authorization": f"Bearer {mine['key']}"}
    with patient.stream("GET", f"{theirs.url}/images/events", headers=headers) as feed:
        assert theirs.stack.studio("keys", "revoke", mine["id"]).returncode == 0
        theirs.stack.await_(
            lambda: patient.get(f"{theirs.url}/images/jobs", headers=headers).status_code == 401
        )
        generate(theirs.url, DRAW, other["key"])
        kind, _, data = next(frames(feed.iter_lines()))
    assert (kind, data.get("code")) == ("error", "CREDENTIAL_INVALID")


def test_a_revoked_key_is_refused_a_second_later(theirs):
    made = theirs.stack.studio("keys", "create", "brief", "--user", "brief", "--json")
    found = json.loads(made.stdout)
    headers = {"Authorization": f"Bearer {found['key']}"}
    assert patient.get(f"{theirs.url}/images/jobs", headers=headers).status_code == 200
    revoked = theirs.stack.studio("keys", "revoke", found["id"])
    assert revoked.returncode == 0, revoked.stderr
    gone = time.monotonic()
    theirs.stack.await_(lambda: time.monotonic() > gone + 1)  # as long as a key is remembered
    assert patient.get(f"{theirs.url}/images/jobs", headers=headers).status_code == 401
