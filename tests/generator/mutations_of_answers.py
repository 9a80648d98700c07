"""Defences of answers that nobody else can hear; see `mutations.py`."""

from tests.generator.mutation import Mutation

VIGIL = "tests/catalog/test_vigil.py"
HICCUPS = "tests/catalog/test_hiccups.py"
BURIALS = "tests/catalog/test_burials.py"
UNHEARD = "tests/generator/test_unheard.py"
WAKEFUL = "tests/generator/test_wakeful.py"
OVERDUE = "tests/generator/test_overdue.py"

OUTLINE = "services/generator/providers/outline.py"
RECEIPTS = "services/storage/receipts.py"
TEXT = "tests/storage/test_receipt_text.py"

TABLE = (
    Mutation(
        "an escape may stand in a picture's text",
        OUTLINE,
        "plain=_OF_IT.fullmatch(self._escape) is not None",
        "plain=False",
        "tests/generator/test_outline.py",
    ),
    Mutation(
        "an escape may lie in two blocks of a receipt",
        RECEIPTS,
        "_unescaped(half + block)",
        "_unescaped(block)",
        TEXT,
    ),
    Mutation(
        "the end of a picture's text is not always the end of its string",
        RECEIPTS,
        '                if left and text[:whole].endswith(b"="):',
        '                if False and text[:whole].endswith(b"="):',
        TEXT,
    ),
    Mutation(
        "a silence that nobody watched is no death",
        "services/catalog/sweeper.py",
        "        if self.vigil.looks(now):\n",
        "        if True:\n",
        "tests/catalog/test_sweeper.py",
    ),
    Mutation(
        "what holds up the sweeper holds up the living",
        "services/catalog/vigil.py",
        "        if not (kept and self._since):\n",
        "        if not self._since:\n",
        VIGIL,
    ),
    Mutation(
        "what holds up a heartbeat's commit holds up the sweeper's look",
        "services/catalog/queries/ledger.sql",
        "SELECT clock_timestamp() FROM pg_logical_emit_message(true, 'sweep', '');",
        "SELECT clock_timestamp();",
        HICCUPS,
    ),
    Mutation(
        "what keeps a heartbeat from a connection keeps the sweeper's look from one",
        "services/catalog/sweeper.py",
        "await self.ledger.look_at_the_clock()",
        "await connection.fetchval(SQL.look_at_the_clock)",
        HICCUPS,
    ),
    Mutation(
        "who is dead was so when the clock was looked at",
        "services/catalog/sweeper.py",
        "SQL.bury_silent_workers, now - silent",
        "SQL.bury_silent_workers, await connection.fetchval(SQL.clock) - silent",
        HICCUPS,
    ),
    Mutation(
        "a clock that was set back raises no dead",
        "services/catalog/sweeper.py",
        "            await connection.execute(SQL.cap_heartbeats)\n",
        "            pass\n",
        HICCUPS,
    ),
    Mutation(
        "the dead are looked for in time, however long a look takes",
        "services/catalog/sweeper.py",
        "began + pause - loop.time()",
        "pause",
        BURIALS,
    ),
    Mutation(
        "no sweep is waited for by who looks for the dead",
        "services/catalog/sweeper.py",
        "pause = await self.bury(connection)\n",
        "pause = await self.bury(connection)\n                await self.sweep(connection)\n",
        BURIALS,
    ),
    Mutation(
        "a burial is followed by a sweep",
        "services/catalog/sweeper.py",
        "                self.wake.up()\n",
        "                pass\n",
        BURIALS,
    ),
    Mutation(
        "a heartbeat that does not end keeps no other unburied",
        "services/catalog/queries/ledger.sql",
        "WHERE heartbeat_at < $1 FOR UPDATE SKIP LOCKED",
        "WHERE heartbeat_at < $1 FOR UPDATE",
        BURIALS,
    ),
    Mutation(
        "what killed five workers can be asked for once more",
        "services/catalog/endings.py",
        "    if _can_be_asked_for(batch, purchase):\n",
        "    if False:\n",
        "tests/catalog/test_sweeper.py",
    ),
    Mutation(
        "what killed five workers is not ordered again",
        "services/catalog/edges.py",
        "purchase.model_key and endings.is_worn_out(purchase):\n",
        "purchase.model_key and False:\n",
        "tests/catalog/test_sweeper.py",
    ),
    Mutation(
        "who is taken for dead hears what only he can",
        "services/generator/worker.py",
        "        await self._abandon(unheard)\n",
        "        await self._abandon()\n",
        UNHEARD,
    ),
    Mutation(
        "what was heard under an earlier name is looked for",
        "services/generator/worker.py",
        "        self._take_up_outlived()\n",
        "",
        UNHEARD,
    ),
    Mutation(
        "no place is sealed while its answer may come",
        "services/generator/providers/answered.py",
        "        if order.awaited and await",
        "        if False and await",
        "tests/generator/conformance/test_recraft.py",
    ),
    Mutation(
        "what another sent is awaited until its deadline",
        "services/generator/deeds.py",
        "awaited=anothers and -math.inf < self.late() < 0",
        "awaited=False",
        UNHEARD,
    ),
    Mutation(
        "nothing is late by a clock alone that somebody may have set",
        "services/generator/overdue.py",
        "return min(over, max(held - (deadline - sent), over - _SURELY))",
        "return over",
        OVERDUE,
    ),
    Mutation(
        "a generator that is new again and again keeps no order for ever",
        "services/generator/overdue.py",
        "max(held - (deadline - sent), over - _SURELY)",
        "held - (deadline - sent)",
        OVERDUE,
    ),
    Mutation(
        "what was set down is known of since it was first in hand",
        "services/generator/buy.py",
        "            self._tools.held.note(self.purchase_id, self._since)\n",
        "            pass\n",
        OVERDUE,
    ),
    Mutation(
        "of our own order we know that nobody hears more",
        "services/generator/deeds.py",
        "awaited=anothers and ",
        "awaited=",
        UNHEARD,
    ),
    Mutation(
        "a claim whose stream broke may have been taken",
        "services/generator/ledger.py",
        "full or errors.was_cut(fault) or",
        "full or",
        "tests/generator/test_edges_on_the_wire.py",
    ),
    Mutation(
        "what a full disk did not take of a call's cost is told again",
        "services/generator/language/meter.py",
        'if not (was_cut(fault) or fault.reason == "DISK_FULL"):',
        "if not was_cut(fault):",
        "tests/generator/language/test_smart.py",
    ),
    Mutation(
        "a rewriting that nobody settled counts with all that was held",
        "services/generator/language/smart.py",
        "held.cost_usd_micros if held.charged else call.held",
        "held.cost_usd_micros",
        "tests/generator/language/test_smart.py",
    ),
)
