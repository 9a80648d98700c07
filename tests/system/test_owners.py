"""A worker dies with very much work in hand: all of it has an owner again, and comes home."""

import signal

import pytest

from tests.lab.process import Control
from tests.system.books import ask
from tests.system.ownership import DRAWING, OWNED, UNHURRIED, put_in_hand, seat_of
from tests.system.stack import running_stack

HOME = 90.0  # seconds


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.release)])
def test_all_that_a_dead_worker_had_is_owned_again_and_comes_home(count):
    """How soon that is, `bench/owners.py` measures."""
    with running_stack("--lab", "--generators", "2", **UNHURRIED) as stack:
        lab = Control(f"http://127.0.0.1:{stack.port('LAB_PORT')}")
        dead = put_in_hand(stack, count)
        stack.kill(seat_of(stack, dead), signal.SIGKILL)
        stack.await_(lambda: ask(stack, OWNED, dead)[0]["owned"] == count, HOME)
        lab.advance(DRAWING + 1)
        stack.await_(lambda: through(stack) == count, HOME)
        charged = [charge["purchase_id"] for charge in lab.ledger()]
        assert len(charged) == len(set(charged)) == count


def test_what_a_generator_had_that_died_comes_home_by_its_successor_without_a_silence():
    """The ledger's patience is longer than the test: the successor alone can tell of the death."""
    with running_stack("--lab", WORKER_PATIENCE="3600", **UNHURRIED) as stack:
        lab = Control(f"http://127.0.0.1:{stack.port('LAB_PORT')}")
        dead = put_in_hand(stack, 20)
        stack.kill(seat_of(stack, dead), signal.SIGKILL)
        stack.await_(lambda: ask(stack, OWNED, dead)[0]["owned"] == 20, HOME)
        lab.advance(DRAWING + 1)
        stack.await_(lambda: through(stack) == 20, HOME)


def through(stack) -> int:
    succeeded = "SELECT count(*) FROM image_jobs WHERE state = 'succeeded'"
    return ask(stack, succeeded)[0]["count"]
