"""A watcher is told each durable event once and in order, whatever the news does on its way."""

from hypothesis import given
from hypothesis import strategies as st

from imagestudio.type.v1 import job_event_pb2
from services.generator.sequence import Mailbox, Sequence, Verdict


def durable(number: int) -> job_event_pb2.JobEvent:
    return job_event_pb2.JobEvent(sequence=number, queued={})


def progress(purchase: str, fraction: float) -> job_event_pb2.JobEvent:
    return job_event_pb2.JobEvent(progress={"purchase_id": purchase, "fraction": fraction})


@given(
    log=st.integers(1, 12), after=st.integers(0, 12), room=st.integers(1, 4),
    news=st.lists(st.one_of(st.integers(1, 12), st.just(0)), max_size=40),
)  # fmt: skip
def test_any_order_loss_and_repetition_of_news_gives_the_log(log, after, room, news):
    after = min(after, log)
    sequence, box, told = Sequence(after), Mailbox(room), []

    def read() -> None:
        for number in range(sequence.last + 1, log + 1):
            assert sequence.judge(durable(number)) is Verdict.TELL
            told.append(number)

    def empty() -> None:
        while (event := box.take()) is not None:
            verdict = sequence.judge(event)
            if verdict is Verdict.READ:
                read()
            elif verdict is Verdict.TELL:
                told.append(event.sequence)
        if box.overflowed:
            box.overflowed = False
            read()

    for number in news:  # 0: the watcher comes to look
        if number:
            box.put(durable(min(number, log)))
        else:
            empty()
    empty()
    read()
    assert told == list(range(after + 1, log + 1))


def test_only_the_newest_progress_of_a_purchase_waits():
    box = Mailbox()
    for fraction in (0.25, 0.5, 0.75):
        box.put(progress("a", fraction))
    box.put(progress("b", 0.5))
    box.put(durable(1))
    taken = [box.take() for _ in range(4)]
    assert taken[0].sequence == 1
    assert [event.progress.fraction for event in taken[1:3]] == [0.75, 0.5]
    assert taken[3] is None


def test_an_overflow_drops_all_durable_news_and_says_so():
    box = Mailbox(most=2)
    for number in (1, 2, 3):
        box.put(durable(number))
    assert box.take() is None
    assert box.overflowed
    assert not box.empty()
