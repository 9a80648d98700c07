"""
The defences of a purchase's life, each with a change that takes it away and what must turn red.

A row that stays green is a defence that nothing needs, or one that nothing shows.
"""

from tests.generator import (
    mutations_of_answers,
    mutations_of_evidence,
    mutations_of_images,
    mutations_of_money,
    mutations_of_storage,
)
from tests.generator.mutation import EDGES, ENDINGS, MACHINE, SETTLING, STANDING, Mutation


def _machine(name: str) -> str:
    return f"tests/generator/test_purchase.py::{name}"


TABLE = (
    # -- what is sent, and when
    Mutation(
        "what may have been bought is never sent again",
        MACHINE,
        "    doubt, terms = Doubted(event.why), purchase.terms\n",
        "    return leave(purchase, Released(0.0, event.why))\n",
    ),
    Mutation(
        "`sending` is written before the order leaves",
        EDGES,
        '        purchase.state, purchase.not_before = "sending", None\n',
        "        purchase.not_before = None\n",
    ),
    Mutation(
        "whose answer was lost is unclear when its owner dies",
        ENDINGS,
        "    purchase.owner = None\n    purchase.tries += alone and purchase.is_open\n"
        '    if purchase.state == "sending":\n',
        "    purchase.owner = None\n    purchase.tries += alone and purchase.is_open\n"
        "    if False:\n",
    ),
    Mutation(
        "only a connection never made proves that nothing was sent",
        "services/generator/providers/transport.py",
        "_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)",
        "_NEVER_SENT = (aiohttp.ClientError, aiohttp.ConnectionTimeoutError)",
        "tests/generator/test_transport.py",
    ),
    Mutation(
        "an error that proves nothing is doubtful",
        "services/generator/unbought.py",
        "    return moves.Doubtful(why)\n",
        "    return moves.NeverSent(why, 0.0)\n",
    ),
    Mutation(
        "an order does not leave by a claim that has grown old",
        "services/generator/buy.py",
        "clock() <= min(self._claimed_at + FRESH, self._owned_until())\n",
        "clock() <= self._claimed_at + 1e9\n",
        "tests/generator/test_worker.py",
    ),
    Mutation(
        "who ends sends no order whose answer he could not wait for",
        "services/generator/buy.py",
        "        if self._wishes:  # nobody wants it, or we could not wait for the answer\n"
        "            return False\n",
        "",
        "tests/generator/test_worker.py",
    ),
    Mutation(
        "a claim whose answer was lost is given back, and not sent",
        "services/generator/worker.py",
        "            if lost and found.owner == self.worker_id:\n"
        '                await self._give_back(found, "the claim\'s answer was lost")\n'
        "            return None\n",
        "            return found if lost and found.owner == self.worker_id else None\n",
        "tests/generator/test_worker.py",
    ),
    Mutation(
        "of two claims one wins",
        EDGES,
        "    if not purchase.has_work or purchase.owner is not None:\n        return TAKEN\n",
        "    if not purchase.has_work:\n        return TAKEN\n",
    ),
    Mutation(
        "a claim again is no claim, not even its owner's",
        EDGES,
        "    if not purchase.has_work or purchase.owner is not None:\n        return TAKEN\n",
        "    if not purchase.has_work or purchase.owner not in (None, step.worker_id):\n"
        "        return TAKEN\n",
        "tests/catalog/test_edges.py",
    ),
    # -- who may write
    Mutation(
        "an old owner changes nothing",
        EDGES,
        "    if edge.fence != purchase.fence:\n        raise guards.stale(purchase)\n",
        "",
    ),
    Mutation(
        "a claim makes its owner's fence a new one",
        EDGES,
        "    purchase.owner = step.worker_id\n    purchase.fence += 1\n",
        "    purchase.owner = step.worker_id\n",
    ),
    Mutation(
        "a death makes the fence a new one",
        ENDINGS,
        "    purchase.fence += 1\n    purchase.owner = None\n",
        "    purchase.owner = None\n",
    ),
    Mutation(
        "who is another's by now stops",
        MACHINE,
        "    if purchase.stage is Stage.GONE or isinstance(event, Superseded):\n",
        "    if purchase.stage is Stage.GONE:\n",
        _machine("test_another_owner_stops_everything"),
    ),
    # -- tickets
    Mutation(
        "the ticket is written",
        MACHINE,
        "        *(Commit(Ticketed(event.ticket)), Follow(event.ticket)),\n",
        "        *(Follow(event.ticket),),\n",
    ),
    Mutation(
        "what has ended is told once its ticket is written",
        MACHINE,
        "    if purchase.unwritten:\n        return purchase._replace(closed=event), ()\n",
        "",
        _machine("test_what_has_ended_is_told_once_its_ticket_is_written"),
    ),
    Mutation(
        "who ends writes the ticket that he has",
        MACHINE,
        "        return leave(purchase, Parked(0), Ticketed(event.ticket))\n",
        "        return leave(purchase, Parked(0))\n",
        _machine("test_a_worker_that_ends_writes_down_what_it_has_bought"),
    ),
    Mutation(
        "one ticket is one purchase's, in the table",
        "services/catalog/migrations/0001_tables.sql",
        "    UNIQUE (job_id, ordinal, attempt),\n    UNIQUE (provider, ticket)\n",
        "    UNIQUE (job_id, ordinal, attempt)\n",
        "tests/catalog/test_adoption.py tests/catalog/test_schema.py",
    ),
    Mutation(
        "a look-up adopts only what nobody holds",
        "services/catalog/adoption.py",
        "    return [ticket for ticket in dict.fromkeys(tickets) if ticket not in held]\n",
        "    return list(dict.fromkeys(tickets))\n",
    ),
    Mutation(
        "a webhook's ticket is believed when the provider knows it for ours",
        "services/generator/reconcile.py",
        "    return [ticket for ticket in tickets if await provider.recognize(order, ticket)]\n",
        "    return tickets\n",
    ),
    # -- unclear: absence and its proof
    Mutation(
        "an absence is no proof before the list must show it",
        SETTLING,
        "    if unlisted > 0 and (event.alike or not event.tickets):\n"
        "        return leave(purchase, Parked(unlisted, event.ended))\n",
        "",
    ),
    Mutation(
        "what others knew of is a proof once the list's lag is over by the provider's clock",
        SETTLING,
        "purchase.since + purchase.terms.lag + APART - event.began)\n",
        "0.0)\n",
    ),
    Mutation(
        "an unclear one waits for the provider's lag",
        "services/generator/reconcile.py",
        "    return max(0.0, terms.lag - (now - sent.ToMicroseconds() / 1e6))\n",
        "    return 0.0\n",
        "tests/generator/test_unlisted.py",  # a history only looks in vain: absent is nothing yet
    ),
    Mutation(
        "after a webhook that the looker did not know of it is looked up again",
        EDGES,
        '    elif kind == "absent" and purchase.unheard:\n',
        "    elif False:\n",
    ),
    Mutation(
        "a list with blanks proves no absence",
        SETTLING,
        "    if purchase.unproven:\n        return _undecided(purchase, purchase.unproven)\n",
        "",
    ),
    Mutation(
        "what was bought by name and is another's is never absent",
        SETTLING,
        "    if not found.alike:  # it was ours by name\n",
        "    if False:\n",
        _machine("test_what_was_bought_by_name_and_is_anothers_is_never_absent"),
    ),
    Mutation(
        "what nobody can tell is asked for until its time is over",
        SETTLING,
        "    if not out_of_reach(event):\n",
        "    if event.late < 0:\n",
    ),
    Mutation(
        "a receipt in our vault is not given up while storage is away",
        STANDING,
        "    return event.late >= OUT_OF_REACH and not event.ours\n",
        "    return event.late >= OUT_OF_REACH\n",
        _machine("test_while_storage_of_ours_is_away_a_receipt_is_not_given_up"),
    ),
    Mutation(
        "that storage is away is no word of the provider's",
        "services/generator/reconcile.py",
        "        ours = isinstance(error, seam.Unread)\n",
        "        ours = False\n",
        "tests/generator/test_unread.py",
    ),
    Mutation(
        "of an absence the provider's own word is proof, and not that it did not answer",
        "services/generator/reconcile.py",
        "    except seam.ProviderError as error:\n"
        "        ours = isinstance(error, seam.Unread)\n"
        "        return moves.OutOfSight(str(error), error.retry_after or _RETRY, late(), ours)\n",
        "    except seam.ProviderError:\n        return moves.LookedUp(())\n",
    ),
    # -- canceling
    Mutation(
        "a canceled job is not ordered",
        MACHINE,
        "    return _canceled(purchase) if canceling else (purchase, (Buy(),))\n",
        "    return purchase, (Buy(),)\n",
        _machine("test_a_canceled_job_is_not_sent_at_all"),
    ),
    Mutation(
        "a canceled order that goes back is not planned again",
        EDGES,
        '    if batch.job_of(purchase).state == "canceling":\n'
        "        purchase.error = error\n"
        '        endings.end(batch, purchase, ending="canceled", charged="no", cost=0)\n'
        "        return\n",
        "",
    ),
    Mutation(
        "nothing is planned anew for a canceled job",
        ENDINGS,
        '    if batch.job_of(purchase).state == "canceling" or purchase.is_twin:\n',
        "    if purchase.is_twin:\n",
    ),
    Mutation(
        "nothing absent is planned anew for a canceled job",
        ENDINGS,
        '    if batch.job_of(purchase).state == "canceling":\n        purchase.error',
        "    if False:\n        purchase.error",
    ),
    Mutation(
        "whose own the list may not show takes nothing that an equal order could miss",
        "services/catalog/adoption.py",
        "    if not free or (found.unproven and len(free) <= rivals):\n",
        "    if not free:\n",
        "tests/catalog/test_adoption.py",
    ),
    Mutation(
        "the ledger is told that a list may not show all",
        SETTLING,
        "unproven=event.unproven is not None)",
        "unproven=False)",
        "tests/generator/test_worker.py",
    ),
    Mutation(
        "to be canceled, it takes nothing that may be an equal order's",
        "services/catalog/adoption.py",
        "    if unwanted and len(free) <= _open(batch, batch.wanted, purchase):\n",
        "    if False:\n",
        "tests/catalog/test_adoption.py",
    ),
    Mutation(
        "who leaves a ticket to others is not told to be absent",
        "services/catalog/adoption.py",
        "    purchase.fence += 1\n    batch.let_go_of(purchase, batch.now + _AGAIN)\n",
        "    batch.let_go_of(purchase, batch.now + _AGAIN)\n",
        "tests/catalog/test_adoption.py",
    ),
    Mutation(
        "no receipt is no proof, where its answer is all that a provider has",
        SETTLING,
        "    if not event.tickets and not purchase.terms.conclusive:\n",
        "    if False:\n",
    ),
    Mutation(
        "nothing follows what a copy of the database knew as open",
        ENDINGS,
        "    if next_ is None or purchase.restored:",
        "    if next_ is None:",
    ),
    Mutation(
        "what a copy of the database knew as planned is not sent",
        "services/catalog/restore.py",
        '        if purchase.state in ("planned", "sending"):\n',
        '        if purchase.state == "sending":\n',
    ),
    Mutation(
        "what a copy of the database knew as being sent is looked up",
        "services/catalog/restore.py",
        '        if purchase.state in ("planned", "sending"):\n',
        '        if purchase.state == "planned":\n',
    ),
    Mutation(
        "a stray is not adopted while its own look-up may take it",
        "services/catalog/adoption.py",
        "    if purchase.state in _WITHOUT_TICKET:\n        raise guards",
        "    if False:\n        raise guards",
        "tests/catalog/test_strays.py",
    ),
    Mutation(
        "a second order is a purchase of its own",
        "services/catalog/webhooks.py",
        "        return _Heard(stray=True)\n",
        "        return _NOTHING\n",
        "tests/catalog/test_strays.py",
    ),
    Mutation(
        "what its worker has forgotten is given back",
        "services/generator/worker.py",
        "            self._beside.start(self._disown(purchase_id, fence))\n",
        "            pass\n",
        "tests/generator/test_forgotten.py",
    ),
    Mutation(
        "who ends hears out what nobody else could hear",
        "services/generator/worker.py",
        "        await _ended([self._works[each] for each in self._unheard], grace)\n",
        "        pass\n",
        "tests/generator/test_worker.py -k ends",
    ),
    # -- time
    Mutation(
        "what is late is waited for a minute after its cancel",
        MACHINE,
        "    if event.late - purchase.overdue < GRACE:\n",
        "    if event.late - purchase.overdue < 0:\n",
    ),
    Mutation(
        "what hangs is given up",
        MACHINE,
        "    return _late(purchase, event) if event.late >= 0 else ",
        "    return ",
    ),
    Mutation(
        "what cannot be seen is asked for until its links are dead",
        MACHINE,
        "    if out_of_reach(event):\n",
        "    if event.late >= 0:\n",
    ),
    # -- tries
    Mutation(
        "the fifth try is the last",
        ENDINGS,
        "MAX_TRIES = 5\n",
        "MAX_TRIES = 4\n",
    ),
    Mutation(
        "work that raised counts a try",
        EDGES,
        "    purchase.tries += 1\n",
        "",
    ),
    Mutation(
        "who dies alone with a purchase counts a try",
        ENDINGS,
        "    purchase.tries += alone and purchase.is_open\n",
        "",
    ),
    Mutation(
        "what may still be had is not given up at the fifth try",
        ENDINGS,
        '    if purchase.state in ("running", "drawn") and any(e > batch.now for e in expiries):\n',
        "    if False:\n",
    ),
    Mutation(
        "what is safe is not set aside because its publication raised",
        EDGES,
        "    if purchase.publishing:\n"
        "        batch.let_go_of(purchase, batch.now + endings.SET_ASIDE)\n"
        "        return\n",
        "",
    ),
    *mutations_of_money.TABLE,
    *mutations_of_images.TABLE,
    *mutations_of_answers.TABLE,
    *mutations_of_evidence.TABLE,
    *mutations_of_storage.TABLE,
)
