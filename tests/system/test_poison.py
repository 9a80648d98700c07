"""Work that kills its worker every time is set aside at the fifth, and the queue goes on."""

import threading

import pytest

from tests.lab.process import Control
from tests.system.books import ask
from tests.system.client import Job, generate, prove_whole
from tests.system.stack import running_stack
from tests.system.test_doubled import alarms

POISON = {"prompt": "a lighthouse at dawn", "models": ["flux-schnell"]}
OTHERS = {"prompt": "a boat", "models": ["sketch"], "size": "64x64"}
TRIES = 5
FATAL = "lookup.before"  # where nothing comes by that was not in doubt


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    folder.chmod(0o777)
    lab = {"LAB_PACE": "0.1"}
    quick = {"WORKER_PATIENCE": "1", "LOOKUP_LAG": "0", "PUBLISH_WAIT": "0", **lab}
    with running_stack("--lab", FAULT_FOLDER=str(folder), **quick) as stack:
        yield stack, folder, Control(f"http://127.0.0.1:{stack.port('LAB_PORT')}")


def watched(url: str, body: dict) -> tuple[Job, threading.Thread]:
    job = Job("")
    thread = threading.Thread(target=generate, args=(url, body), kwargs={"job": job})
    thread.start()
    return job, thread


def test_the_fifth_death_is_the_last_and_the_others_come_home(poisoned):
    stack, folder, lab = poisoned
    (folder / FATAL).write_text(str(TRIES))  # and with the first, a sixth that nobody may die
    (folder / "buy.before_send").touch()
    poison, ends = watched(stack.url, POISON)
    stack.await_(lambda: not (folder / "buy.before_send").exists())
    ask(stack, "UPDATE purchases SET deadline = now()")  # until then it would be asked for
    ends.join()
    assert poison.completed["state"] == "failed"
    [failure] = poison.completed["failures"]
    assert failure["charged"] is None  # nobody could look: it counts as spent
    [ending] = poison.of("purchase_ended")
    assert ending["state"] == "quarantined"
    [row] = ask(stack, "SELECT state, tries FROM purchases")
    assert tuple(row) == ("quarantined", TRIES)
    assert alarms(stack, "quarantined") == 1
    assert sum("generator-1 ended" in line for line in stack.said) == TRIES
    [permits] = ask(stack, "SELECT in_use, sending FROM permits WHERE provider = 'replicate'")
    assert tuple(permits) == (0, 0)
    prove_whole(generate(stack.url, OTHERS), 1)
    assert lab.ledger() == []
    prove_whole(generate(stack.url, POISON), 1)  # the next order of the same is as any other
    assert (folder / FATAL).read_text() == "1"
    assert len(lab.ledger()) == 1
