"""API keys over gRPC: told once, kept as a hash, revoked for good."""

import hashlib

import pytest

from chassis import identity
from chassis.errors import Denied, Invalid, Missing, Unauthenticated
from imagestudio.catalog.v1.ledger_service_pb2 import ResolveCredentialRequest
from tests.catalog.shelf import Person, Shelf


def with_key(shelf: Shelf, secret: str) -> Person:
    return Person(shelf.stub, (("authorization", f"Bearer {secret}"),), 0)


async def test_a_key_works_until_it_is_revoked(shelf: Shelf) -> None:
    ann = await shelf.person()
    made = await ann.ask("CreateApiKey", label="laptop")
    user = with_key(shelf, made.secret)
    await user.ask("ListJobs")
    gone = (await ann.ask("RevokeApiKey", name=made.api_key.name)).api_key
    assert gone.HasField("revoke_time")
    assert (await ann.ask("RevokeApiKey", name=made.api_key.name)).api_key == gone
    with pytest.raises(Unauthenticated) as failure:
        await user.ask("ListJobs")
    assert failure.value.reason == "CREDENTIAL_INVALID"


async def test_only_the_hash_of_a_key_is_kept(shelf: Shelf) -> None:
    ann = await shelf.person()
    made = await ann.ask("CreateApiKey", label="laptop")
    assert made.secret.startswith("isk_")
    assert len(made.secret) == 4 + 52  # 256 bits in base32
    assert made.secret.startswith(made.api_key.hint)
    assert len(made.api_key.hint) <= 8
    row = await shelf.run(
        "SELECT api_keys::text FROM api_keys WHERE api_key_id = $1",
        int(made.api_key.name.removeprefix("apiKeys/")),
    )
    assert made.secret not in row
    assert hashlib.sha256(made.secret.encode()).hexdigest() in row


async def test_a_key_may_do_what_it_says_and_no_more_than_its_maker(shelf: Shelf) -> None:
    ann = await shelf.person("ann", "read", "keys")
    with pytest.raises(Denied) as failure:
        await ann.ask("CreateApiKey", label="more", scopes=["caps"])
    assert failure.value.metadata == {"scope": "caps"}
    with pytest.raises(Denied):  # the usual three have more than she has
        await ann.ask("CreateApiKey", label="more")
    made = await ann.ask("CreateApiKey", label="less", scopes=["read", "read"])
    assert made.api_key.scopes == ["read"]
    less = with_key(shelf, made.secret)
    await less.ask("ListJobs")
    for method in ("ListApiKeys", "UpdateSpendCap", "DeleteVariant"):
        with pytest.raises(Denied):
            await less.ask(method)
    everything = await shelf.person()
    usual = await everything.ask("CreateApiKey", label="usual")
    assert usual.api_key.scopes == ["generate", "read", "write"]


async def test_ones_keys_are_listed_newest_first_and_nobody_elses(shelf: Shelf) -> None:
    ann, bob = await shelf.person(), await shelf.person()
    for label in ("one", "two", "three"):
        await ann.ask("CreateApiKey", label=label)
    first = await ann.ask("ListApiKeys", page_size=2)
    rest = await ann.ask("ListApiKeys", page_token=first.next_page_token)
    labels = [key.label for key in (*first.api_keys, *rest.api_keys)]
    assert labels == ["three", "two", "one", "a test"]
    assert rest.next_page_token == ""
    assert len((await bob.ask("ListApiKeys")).api_keys) == 1
    with pytest.raises(Missing):
        await bob.ask("RevokeApiKey", name=first.api_keys[0].name)


async def test_a_service_for_itself_makes_lists_and_revokes_for_all(shelf: Shelf) -> None:
    cli = shelf.service()
    made = await cli.ask("CreateApiKey", label="hers", subject="ann@example.test")
    again = await cli.ask("CreateApiKey", label="hers, too", subject="ann@example.test")
    assert made.api_key.user == again.api_key.user
    assert made.api_key.subject == "ann@example.test"
    everyone = (await cli.ask("ListApiKeys", all_users=True)).api_keys
    assert [key.name for key in everyone[:2]] == [again.api_key.name, made.api_key.name]
    assert (await cli.ask("RevokeApiKey", name=made.api_key.name)).api_key.HasField("revoke_time")
    with pytest.raises(Missing):
        await cli.ask("RevokeApiKey", name="apiKeys/999999")
    for method, fields in (("ListApiKeys", {}), ("CreateApiKey", {"label": "whose?"})):
        with pytest.raises(Unauthenticated):
            await cli.ask(method, **fields)


async def test_a_person_behind_a_service_stays_a_person(shelf: Shelf) -> None:
    ann, bob = await shelf.person(), await shelf.person()
    theirs = (await bob.ask("ListApiKeys")).api_keys[0].name
    for person in (ann, shelf.service(ann.user_id)):
        with pytest.raises(Denied) as failure:
            await person.ask("CreateApiKey", label="x", subject="somebody")
        assert failure.value.reason == "SERVICE_ONLY"
        with pytest.raises(Denied):
            await person.ask("ListApiKeys", all_users=True)
        with pytest.raises(Missing):
            await person.ask("RevokeApiKey", name=theirs)


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("label", {"label": ""}),
        ("label", {"label": "a" * 101}),
        ("label", {"label": "a\0"}),
        ("scopes", {"label": "x", "scopes": ["admin"]}),
        ("subject", {"label": "x", "subject": "system"}),
        ("subject", {"label": "x", "subject": "a\nb"}),
        ("subject", {"label": "x", "subject": "a" * 256}),
    ],
)
async def test_a_wrong_wish_is_refused_by_field(
    shelf: Shelf, field: str, fields: dict[str, object]
) -> None:
    with pytest.raises(Invalid) as failure:
        await shelf.service().ask("CreateApiKey", **fields)
    assert list(failure.value.fields) == [field]


async def test_a_credential_is_resolved_to_its_user(shelf: Shelf) -> None:
    ann = await shelf.person("ann", "read", "write")
    secret = ann.metadata[0][1].removeprefix("Bearer ")
    by_key = ResolveCredentialRequest(api_key_hash=identity.hashed(secret))
    found = await shelf.keys.resolve(by_key)
    assert (found.user, found.scopes) == (f"users/{ann.user_id}", ["read", "write"])
    local = ResolveCredentialRequest(subject="local")
    first, second = await shelf.keys.resolve(local), await shelf.keys.resolve(local)
    assert first == second
    assert set(first.scopes) == identity.ALL_SCOPES
    with pytest.raises(Unauthenticated):
        await shelf.keys.resolve(ResolveCredentialRequest(api_key_hash=b"short"))
    with pytest.raises(Invalid):
        await shelf.keys.resolve(ResolveCredentialRequest())
