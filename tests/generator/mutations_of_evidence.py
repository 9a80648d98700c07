"""
The defences of what is told of a purchase, and of what an absence is concluded from; see
`mutations.py`. No history has them: there each order brings all its images, goes out under one
account, and asks a vendor whose clock is ours and a vault that is not asked for room.
"""

from tests.generator.mutation import EDGES, SETTLING, Mutation

_OUTCOME = "services/catalog/outcome.py"
_SHORT = "tests/catalog/test_short.py"
_ABSENCE = "tests/catalog/test_absence.py"
_BY_OTHERS = "tests/generator/test_unlisted_by_others.py"
_READ_WHEN = "tests/generator/test_read_when.py"
_REPLICATE = "services/generator/providers/replicate.py"
_TRIAL = "tests/storage/test_trial.py"

TABLE = (
    Mutation(
        "fewer images than were ordered are no whole success",
        EDGES,
        "    if len(step.outputs) < step.ordered_count:\n",
        "    if False:\n",
        _SHORT,
    ),
    Mutation(
        "what goes wrong later does not hide that images are missing",
        _OUTCOME,
        " | {key: first[key] for key in (_SHORT, WAITS, UNSENT) if first and key in first}",
        "",
        _SHORT,
    ),
    Mutation(
        "that a picture waits hides nothing that was said before",
        _OUTCOME,
        "    told = still(first, why) if first is None or _only_waits(first) else first\n",
        "    told = why\n",
        _SHORT,
    ),
    Mutation(
        "that a picture waits is told once",
        EDGES,
        '    if outcome.waits_for(purchase.error, what) == error["reason"]:\n',
        "    if not error:\n",
        _SHORT,
    ),
    Mutation(
        "a look-up is told the account that the order went out under",
        "services/catalog/present_ledger.py",
        "        account=purchase.account,\n",
        "",
        "tests/catalog/test_account.py",
    ),
    Mutation(
        "a restored order that was sent keeps the account that it did not tell",
        EDGES,
        "    elif purchase.restored and not purchase.account and purchase.sent_at is None:\n",
        "    elif purchase.restored and not purchase.account:\n",
        "tests/catalog/test_account.py",
    ),
    Mutation(
        "the clocks of a vendor's servers may be apart",
        SETTLING,
        "purchase.terms.lag + APART - event.began)\n",
        "purchase.terms.lag - event.began)\n",
        _BY_OTHERS,
    ),
    Mutation(
        "the clock that counts is that of the list's first page",
        _REPLICATE,
        "        if not self.pages:\n            self.began",
        "        if self.ended is None:\n            self.began",
        _READ_WHEN,
    ),
    Mutation(
        "what was asked for has lain about until its answer is read",
        "services/generator/providers/dates.py",
        "        return date - timedelta(seconds=seconds), date\n",
        "        return date, date\n",
        _READ_WHEN,
    ),
    Mutation(
        "who looks leaves word of when, by the vendor's clock",
        SETTLING,
        "        return leave(purchase, Parked(unlisted, event.ended))\n",
        "        return leave(purchase, Parked(unlisted))\n",
        _BY_OTHERS,
    ),
    Mutation(
        "that others have all that was found is read twice",
        SETTLING,
        "    if not purchase.others.issuperset(found.tickets):\n",
        "    if False:\n",
        "tests/generator/test_unlisted.py",
    ),
    Mutation(
        "who leaves to others what was found has done with it",
        "services/generator/buy.py",
        "            if result.purchase.fence != self._claim.fence:",
        "            if False:",
        "tests/generator/test_unlisted.py",
    ),
    Mutation(
        "that is when he had its last page",
        SETTLING,
        "Parked(unlisted, event.ended)",
        "Parked(unlisted, event.began)",
        _BY_OTHERS,
    ),
    Mutation(
        "a list is as late as its first page",
        SETTLING,
        " + APART - event.began)\n",
        " + APART - (event.ended or 0.0))\n",
        _BY_OTHERS,
    ),
    Mutation(
        "who takes it over hears what others know",
        "services/generator/buy.py",
        "            since=_unlisted_since(claim),\n",
        "",
        _BY_OTHERS,
    ),
    Mutation(
        "an order that leaves anew was not looked for yet",
        EDGES,
        "        absence.forget(purchase)\n",
        "",
        _ABSENCE,
    ),
    Mutation(
        "one wrong date of a vendor's proves nothing before the lag is over by our clock",
        "services/catalog/absence.py",
        "    return purchase.unlisted_since if batch.now - at >= lag else None\n",
        "    return purchase.unlisted_since\n",
        _ABSENCE,
    ),
    Mutation(
        "that lag is the one that the workers tell",
        "services/catalog/absence.py",
        "limits.lookup_lag if limits else UNTOLD_LAG",
        "UNTOLD_LAG",
        _ABSENCE,
    ),
    Mutation(
        "the first word of when an order was not listed stays",
        "services/catalog/absence.py",
        "    if before is None or before > since or (purchase.unlisted_at or at) > at:\n",
        "    if True:\n",
        _ABSENCE,
    ),
    Mutation(
        "of what is not unclear no list is told",
        "services/catalog/absence.py",
        '    if purchase.state != "unclear" or not step.HasField("unlisted_time"):\n',
        '    if not step.HasField("unlisted_time"):\n',
        _ABSENCE,
    ),
    Mutation(
        "where the vendor's listing tells no date nothing is absent",
        _REPLICATE,
        "    if ahead is None:\n",
        "    if False:\n",
        "tests/generator/test_replicate_lookup.py",
    ),
    Mutation(
        "a vault that takes no writes takes no new work",
        "services/storage/room.py",
        "                raise _unwritable(sick)\n",
        "                pass\n",
        _TRIAL,
    ),
    Mutation(
        "a trial of the vault that ends as nobody thought of has failed",
        "services/storage/trial.py",
        '            failure = Sick("it fails, see storage\'s log")\n',
        "            failure = None\n",
        _TRIAL,
    ),
)
