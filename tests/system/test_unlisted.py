"""
An order's answer is lost, and the list that is read then does not show it: of another account,
or too soon by a clock that was set. It is charged once, also where it was not taken, which is
proven by whoever lives when the list has had its time.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tests import patient
from tests.lab.process import Control, Lab, running_lab
from tests.postgres import temporary_data
from tests.system.books import ask
from tests.system.client import prove_whole, watch
from tests.system.stack import Stack, running_stack

DRAW = {"prompt": "a lighthouse at dawn", "models": ["flux-schnell"]}
DROPPED = {"vendor": "replicate", "where": "create", "kind": "drop_after", "times": 1}
UNTAKEN = DROPPED | {"kind": "drop_before"}
DEAF = {"vendor": "replicate", "where": "webhook", "kind": "drop_before"}
SILENT = {"vendor": "replicate", "where": "list", "kind": "status:500"}
LATE = {"vendor": "replicate", "where": "list", "kind": "lag:7200"}
LAG = 3600  # seconds, for ever here, in which the list need not show what was bought
DRAWING = 300  # seconds, of the lab's clock


def ordered(stack: Stack) -> str:
    """Order a picture whose answer is lost; return its job once that is written."""
    answer = patient.post(f"{stack.url}/images/generate", json=DRAW)
    stack.await_(lambda: count(stack, "state = 'unclear' AND owner IS NULL") == 1)
    return answer.raise_for_status().json()["job_id"]


def count(stack: Stack, which: str) -> int:
    return ask(stack, f"SELECT count(*) FROM purchases WHERE {which}")[0][0]


def earlier(stack: Stack, *times: str) -> int:
    """Put *times* of the one purchase two hours back, as a clock that is set does; its fence."""
    moved = ", ".join(f"{each} = {each} - interval '2 hours'" for each in times)
    [(fence,)] = ask(stack, f"UPDATE purchases SET {moved} RETURNING fence")
    return fence


def prove_bought_once(stack: Stack, lab: Control, job: str) -> None:
    done = watch(stack.url, f"/images/jobs/{job}")
    prove_whole(done, 1)
    assert lab.requests()["replicate"]["create"] == 1
    assert [one["purchase_id"] for one in lab.ledger()] == [
        one["purchase_id"] for one in done.completed["images"]
    ]


@contextmanager
def started(stack: Stack, lab: Lab, token: str) -> Iterator[None]:
    stack.start(
        LAB_URL=lab.url, REPLICATE_BASE_URL=f"{lab.url}/replicate", REPLICATE_API_TOKEN=token
    )
    try:
        yield
    finally:
        stack.stop()


def test_the_list_of_another_account_is_no_proof_and_another_token_of_the_same_finds_it():
    quick = {"LOOKUP_LAG": "1", "WORKER_PATIENCE": "1"}
    with running_lab() as ours, running_lab() as others, temporary_data() as data:
        others.vendor("replicate", account="others")
        ours.faults([DROPPED, DEAF, SILENT])
        stack = Stack(data, quick)
        with started(stack, ours, "r8_first"):
            job = ordered(stack)
        with started(stack, others, "r8_second"):
            looks_seldom = "state = 'unclear' AND not_before > now() + interval '9 s'"
            stack.await_(lambda: count(stack, f"state = 'void' OR {looks_seldom}") == 1)
            assert count(stack, "state = 'unclear'") == 1
            assert others.ledger() == []
        ours.faults([DEAF])
        with started(stack, ours, "r8_third"):
            ask(stack, "UPDATE purchases SET not_before = now()")
            prove_bought_once(stack, ours, job)
            assert ours.requests()["replicate"]["account"] == 2  # of each process one


def test_a_database_whose_clock_is_set_forward_does_not_shorten_the_wait_for_the_list():
    settings = {"LAB_PACE": str(DRAWING), "LOOKUP_LAG": str(LAG), "WORKER_PATIENCE": "1"}
    with running_stack("--lab", **settings) as stack:
        lab = Control(f"http://127.0.0.1:{stack.port('LAB_PORT')}")
        lab.faults([DROPPED, DEAF, LATE])
        job = ordered(stack)
        fence = earlier(stack, "sent_at", "not_before", "deadline")
        stack.await_(lambda: count(stack, f"fence > {fence} AND owner IS NULL") == 1)
        assert count(stack, "state = 'unclear'") == count(stack, "true") == 1
        lab.faults([])
        lab.advance(DRAWING)  # the vendor tells its end, which needs no list
        prove_bought_once(stack, lab, job)


def test_what_one_generator_looked_for_in_vain_is_absent_to_the_next_when_the_lag_is_over():
    with running_lab() as lab, temporary_data() as data:
        lab.faults([UNTAKEN])
        stack = Stack(data, {"LOOKUP_LAG": str(LAG), "WORKER_PATIENCE": "1"})
        with started(stack, lab, "r8_ours"):
            job = ordered(stack)
            earlier(stack, "sent_at", "not_before", "deadline")
            stack.await_(lambda: count(stack, "unlisted_at IS NOT NULL AND owner IS NULL") == 1)
        with started(stack, lab, "r8_ours"):
            assert count(stack, "state = 'unclear'") == count(stack, "true") == 1
            earlier(stack, "unlisted_since", "unlisted_at", "not_before")
            prove_whole(watch(stack.url, f"/images/jobs/{job}"), 1)
        assert lab.requests()["replicate"]["create"] == 2
        assert len(lab.ledger()) == 1
