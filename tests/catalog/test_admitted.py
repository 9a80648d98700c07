"""What a request has admitted is read without ordering anything."""

import pytest

from chassis.errors import Exists
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from services.catalog import admit, reading
from tests.catalog.purchases import asking
from tests.catalog.shelf import Shelf


async def test_what_a_request_has_admitted_is_told_to_its_own_user_alone(shelf: Shelf) -> None:
    ann, bob = await shelf.person(), await shelf.person()
    pool, request = shelf.pools.ledger, asking()
    asked = pb.ReadAdmittedRequest(request_id=request.request_id, fingerprint=request.fingerprint)

    before = await reading.admitted(pool, asked, ann.user_id)
    job = (await admit.admit(pool, request, ann.user_id, None)).job
    after = await reading.admitted(pool, asked, ann.user_id)

    assert not before.HasField("admitted")
    assert (after.admitted.job.name, after.admitted.replayed) == (job.name, True)
    assert not (await reading.admitted(pool, asked, bob.user_id)).HasField("admitted")
    asked.fingerprint = "b" * 64
    with pytest.raises(Exists) as other:
        await reading.admitted(pool, asked, ann.user_id)
    assert other.value.reason == "REQUEST_ID_REUSED"
