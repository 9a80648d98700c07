"""Defences of permits, money, pictures and the end of a job; see `mutations.py`."""

from tests.generator.mutation import EDGES, ENDINGS, KEEPING, MACHINE, SETTLING, Mutation

REPLICATE = "services/generator/providers/replicate.py"
TRANSPORT = "services/generator/providers/transport.py"
LOOK_UP = "tests/generator/test_replicate_lookup.py"
ACCOUNT = "tests/generator/test_account.py"
UNLISTED = "tests/generator/test_unlisted.py"

TABLE = (
    Mutation(
        "a data: URL is the picture",
        "services/storage/requests.py",
        "    if found := given(request.source_uri):\n",
        "    if found := None:\n",
        "tests/storage/test_importing.py",
    ),
    Mutation(
        "what no URL has unescaped is escaped",
        "services/generator/providers/predictions.py",
        'quote(url, _OF_A_URL, errors="replace")',
        "url",
        "tests/generator/test_replicate.py",
    ),
    *(
        Mutation(
            f"an estimate is told as one: {what}",
            EDGES,
            f"    purchase.metered = step.cost.basis == cost_pb2.COST_BASIS_METERED\n    {after}",
            f"    purchase.metered = True\n    {after}",
            "tests/catalog/test_basis.py",
        )
        for what, after in (("drawn", "batch.settle"), ("ended", "next_ = step"))
    ),
    Mutation(
        "what is no link of an output hides none that is",
        "services/generator/providers/predictions.py",
        "    if not urls:\n        raise",
        "    if not urls or len(urls) < len(told):\n        raise",
        "tests/generator/test_replicate.py",
    ),
    # -- permits and money
    Mutation(
        "no order leaves while the vault takes nothing",
        "services/generator/deeds.py",
        "        if fault := await self._withheld():\n",
        "        if fault := None:\n",
        "tests/generator/test_withheld.py",
    ),
    Mutation(
        "who ends does not wait for storage with an order in hand",
        "services/generator/buy.py",
        "            self._deeds.hurry()\n",
        "",
        "tests/generator/test_withheld.py",
    ),
    Mutation(
        "an order takes a permit",
        EDGES,
        "        if permits.take_permit(batch, purchase) is Verdict.WAIT:\n"
        "            return NO_PERMIT\n",
        "",
    ),
    *(
        Mutation(
            f"a permit comes back: {what}",
            file,
            f"    permits.give_permit_back(batch, purchase)\n{after}",
            after,
        )
        for what, file, after in (
            ("released", EDGES, "    error = outcome.evidence(step.error)\n    if batch"),
            ("drawn", EDGES, '    purchase.state, purchase.charged = "drawn", "yes"\n'),
            ("ended", EDGES, "    purchase.error = outcome.evidence(step.error)\n    cost"),
            ("unclear", ENDINGS, "    if possible is None:\n"),
            ("quarantined", ENDINGS, "    purchase.charged = {"),
        )
    ),
    Mutation(
        "what is found to be under way takes a permit",
        "services/catalog/adoption.py",
        "    permits.count_permit(batch, purchase)\n",
        "",
    ),
    Mutation(
        "the cost takes the place of the reservation",
        "services/catalog/rows.py",
        "        sums[1] -= purchase.reserved\n",
        "",
    ),
    Mutation(
        "what may be charged counts as spent",
        EDGES,
        'charged="unknown", cost=purchase.reserved)\n',
        'charged="unknown", cost=0)\n',
    ),
    Mutation(
        "what is quarantined counts as it may have been charged",
        ENDINGS,
        '"unknown": purchase.reserved}[purchase.charged]',
        '"unknown": 0}[purchase.charged]',
    ),
    Mutation(
        "an order without a ticket never ends charged",
        EDGES,
        '    if purchase.state == "sending" and charged != "no":\n',
        "    if False:\n",
        "tests/catalog/test_edges.py",
    ),
    Mutation(
        "a new attempt follows only what was certainly not charged",
        EDGES,
        '    if step.HasField("next") and charged != "no":\n',
        "    if False:\n",
        "tests/catalog/test_edges.py",
    ),
    Mutation(
        "only what was certainly not charged is tried again",
        MACHINE,
        '    retry = event.charged is False and reason == "PROVIDER_FAILED"\n',
        '    retry = reason == "PROVIDER_FAILED"\n',
        "tests/generator/test_purchase.py",
    ),
    # -- what a listing proves
    Mutation(
        "by how much our clock is ahead, a look-up begins sooner",
        REPLICATE,
        "        if ahead and ahead > predictions.SLACK / 2:",
        "        if False:",
        LOOK_UP,
    ),
    Mutation(
        "where no clock is told, nothing is absent",
        REPLICATE,
        "    if ahead is None:\n",
        "    if False:\n",
        LOOK_UP,
    ),
    Mutation(
        "nor is it, where an equal order has all that was found",
        REPLICATE,
        "unsure = bool(doubt)",
        "unsure = False",
        LOOK_UP,
    ),
    Mutation(
        "the list of another account proves nothing",
        REPLICATE,
        "            case False:\n",
        "            case False if False:\n",
        ACCOUNT,
    ),
    Mutation(
        "nor does that of one that nobody knows",
        REPLICATE,
        '                return "nobody knows',
        '                return "" and "nobody knows',
        ACCOUNT,
    ),
    Mutation(
        "nor that of another token's, where that did not tell its account",
        "services/generator/providers/account.py",
        "        if account and account == self.token:\n",
        "        if account.startswith(_MARK):\n",
        ACCOUNT,
    ),
    Mutation(
        "a claim tells the account that its order leaves under",
        "services/generator/vendor.py",
        "        return vendor.time_limit, account\n",
        '        return vendor.time_limit, ""\n',
        ACCOUNT,
    ),
    Mutation(
        "that account stays with the order",
        "services/generator/orders.py",
        ", account=claim.account)",
        ")",
        ACCOUNT,
    ),
    Mutation(
        "a list is read late enough by the clock of who reads it",
        SETTLING,
        "unlisted = max(0.0, wait, unlisted)",
        "unlisted = max(0.0, wait)",
    ),
    Mutation(
        "who sent an order knows of its loss from then on",
        "services/generator/buy.py",
        "        if isinstance(step, moves.Doubted):  # it",
        "        if False:  # it",
        UNLISTED,
    ),
    Mutation(
        "a look-up is dated by the clock that the sending was",
        "services/generator/deeds.py",
        "asked=datetime.fromtimestamp(self.now(), UTC)",
        "asked=datetime.now(UTC)",
        "tests/generator/test_unheard.py",
    ),
    Mutation(
        "the listing of an old order is its own",
        REPLICATE,
        "self._old_lookups if old else self._lookups\n",
        "self._lookups\n",
        LOOK_UP,
    ),
    Mutation(
        "who has seen all since his order shares no failure further back",
        "services/generator/providers/lookups.py",
        " if is_past(page.shown, look.since)]",
        " if False]",
        "tests/generator/test_lookups.py",
    ),
    Mutation(
        "a look has an end, though its answer has none",
        TRANSPORT,
        "            if len(body) > most:\n",
        "            if False:\n",
        "tests/generator/test_transport.py",
    ),
    Mutation(
        "to wait in vain for a connection of ours tells nothing of the provider",
        TRANSPORT,
        "    _queued.set(True)\n",
        "    _queued.set(False)\n",
        "tests/generator/test_transport.py",
    ),
    # -- pictures
    Mutation(
        "each output has its turn before a purchase is let go of",
        KEEPING,
        "    if purchase.missing - purchase.unstored:\n",
        "    if False:\n",
    ),
    Mutation(
        "who ends leaves to others what he has storage keep",
        KEEPING,
        "    (Stage.DRAWN, StopAsked): _stop_drawn,\n",
        "",
        "tests/generator/test_purchase.py",
    ),
    Mutation(
        "who dies while storage is away has not died of what is in a receipt",
        ENDINGS,
        "    return held and not spoilt and batch.now < ordered + KEPT_AT\n",
        "    return False\n",
        "tests/catalog/test_safe_in_receipts.py",
    ),
    Mutation(
        "an output that is lost raises the alarm",
        EDGES,
        '    batch.alarms.append(("lost", purchase.purchase_id))\n',
        "",
    ),
    Mutation(
        "what was kept is kept once",
        EDGES,
        '    if output.state in ("kept", "published"):\n',
        "    if False:\n",
    ),
    Mutation(
        "a purchase ends with its last output",
        ENDINGS,
        '    if "drawn" in states:\n        return\n',
        "",
    ),
    Mutation(
        "what is wanted at the CDN stays to be published",
        "services/catalog/rows.py",
        "        if any(output.awaits_cdn for output in purchase.outputs):\n",
        "        if False:\n",
    ),
    # -- the end of a job
    Mutation(
        "a job ends when its last purchase has ended",
        "services/catalog/rows.py",
        "        job.open_purchases -= 1\n",
        "",
    ),
    Mutation(
        "a job that has ended does not end again",
        "services/catalog/completion.py",
        " and job.state not in ENDED_JOB and not _waits(batch, job)\n",
        " and not _waits(batch, job)\n",
    ),
    Mutation(
        "nothing follows the end of a log",
        "services/catalog/feed.py",
        "        if job.state in ENDED_JOB:\n",
        "        if False:\n",
    ),
    Mutation(
        "while one order asks whether a provider is well, no other leaves",
        "services/catalog/breaker.py",
        "    if found.retry_at is None or now >= found.retry_at:\n",
        "    if True:\n",
    ),
    Mutation(
        "the probe alone tells",
        "services/catalog/breaker.py",
        "    if found.state != CLOSED and found.probe != purchase_id:\n        return found\n",
        "",
        "tests/catalog/test_breaker.py",
    ),
    Mutation(
        "no more leave than a provider says that it takes",
        "services/catalog/permits.py",
        "        left.append(permits.allowance.left)\n",
        "        left.append(OFFERED)\n",
    ),
    Mutation(
        "a provider that was open is not sent all that waited at once",
        "services/catalog/permits.py",
        "    if permits.breaker.on_trial:\n",
        "    if False:\n",
        "tests/catalog/test_health.py",
    ),
    Mutation(
        "what a provider would not take is not sent to it",
        "services/generator/buy.py",
        'SENDING if claim.HasField("refusal"):\n',
        "SENDING if False:\n",
        "tests/generator/test_health.py",
    ),
    Mutation(
        "what is sent no more is counted no more",
        EDGES,
        '    if was_sending and purchase.state != "sending":\n',
        "    if False:\n",
    ),
    Mutation(
        "what a dead worker was sending is counted no more",
        ENDINGS,
        "        permits.heed(batch, purchase, edge_pb2.Heard())\n",
        "",
    ),
    Mutation(
        "what is told of a charge once more changes nothing",
        "services/catalog/settlement.py",
        "    if earlier := batch.settlements.get(purchase.purchase_id):\n",
        "    if earlier := None:\n",
    ),
    Mutation(
        "what was told of a charge is not unsaid",
        "services/catalog/settlement.py",
        "        if not verdict.agrees(earlier):\n            raise _contradicted(earlier)\n",
        "",
    ),
    Mutation(
        "what is told of a charge takes the place of what counted for it",
        "services/catalog/settlement.py",
        "    batch.settle(purchase, cost=0 if",
        "    batch.reserve(purchase, amount=0 if",
    ),
    Mutation(
        "a job does not wait for the CDN for ever",
        "services/catalog/completion.py",
        "    return bool(unpublished and job.complete_by and batch.now < job.complete_by)\n",
        "    return bool(unpublished)\n",
    ),
)
