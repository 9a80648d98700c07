"""A defect that only one purchase meets, on a real PostgreSQL and the wire: it is put aside."""

import asyncio

from chassis import errors
from imagestudio.catalog.v1 import ledger_service_pb2_grpc
from services.catalog.database import as_ledger
from services.generator import edges
from services.generator.ledger import Ledger
from tests.catalog.conftest import run_as_owner
from tests.catalog.purchases import admitted, claim, drawn, make_ledger, taken, ticket
from tests.catalog.served import served


async def at_once(_seconds):
    return


async def test_what_breaks_the_ledger_ends_in_quarantine_and_the_others_go_on(
    pools, user, database_url
):
    catalog, _ = make_ledger(pools.ledger)
    bad, good = await admitted(pools.ledger, user, 2, reserve=500)
    await taken(catalog, *(claim(each) for each in (bad, good)))
    await taken(catalog, *(ticket(each, 1, each) for each in (bad, good)))
    await run_as_owner(
        database_url,
        f"""CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.state = 'drawn' AND NEW.purchase_id = '{bad}' THEN
                RAISE EXCEPTION 'a defect of one row';
            END IF; RETURN NEW; END $$""",
        "CREATE TRIGGER break BEFORE UPDATE ON purchases FOR EACH ROW EXECUTE FUNCTION break()",
        "UPDATE purchases SET deadline = now(), tries = 4",
    )
    async with served(pools.ledger, catalog) as peer:
        stub = ledger_service_pb2_grpc.LedgerServiceStub(peer.channel)
        ledger = Ledger(peer, stub, pause=at_once)
        ledger.start()
        waiting = [ledger.submit(drawn(each, 1)) for each in (bad, good)]
        broken, went = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 60)
        assert type(broken) is errors.Fault
        assert went.purchase.purchase.purchase_id == good
        await ledger.apply(edges.broken_off(bad, 1, broken))
        await ledger.close()
    query = "SELECT state, cost, error::text FROM purchases ORDER BY purchase_id = $1"
    async with as_ledger(pools.ledger) as connection:
        rows = await connection.fetch(query, bad)
    assert [(row["state"], row["cost"]) for row in rows] == [("drawn", 0), ("quarantined", 500)]
    assert "Fault" in rows[1]["error"]
