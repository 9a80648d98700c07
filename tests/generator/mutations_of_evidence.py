"""
The defences of what is told of a purchase, and of what an absence is concluded from; see
`mutations.py`. No history has them: there each order brings all its images, goes out under one
account, and asks a vendor whose clock is ours and a vault that is not asked for room.
"""

from tests.generator.mutation import EDGES, Mutation

_OUTCOME = "services/catalog/outcome.py"
_SHORT = "tests/catalog/test_short.py"
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
        "where the vendor's listing tells no date nothing is absent",
        "services/generator/providers/replicate.py",
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
