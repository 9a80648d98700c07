"""Replicate's webhooks: who is told of what, how often, and what proves the sender."""

import base64
import hashlib
import hmac
import json
import time

import pytest

from lab.replicate.webhooks import signature
from tests.lab.process import running_lab
from tests.lab.replicate_client import SCHNELL, replicate

EVENTS = ["start", "output", "logs", "completed"]
WEBHOOK = {"vendor": "replicate", "where": "webhook"}


def hooked(listener, *events, query=""):
    """The part of an order that asks to be told of *events*; of none: of the usual ones."""
    body = {"webhook": listener.url + query}
    return body | ({"webhook_events_filter": list(events)} if events else {})


def attempts(lab):
    return lab.requests()["replicate"].get("webhook", 0)


def until(condition):
    give_up = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < give_up
    return True


def pass_time(lab, condition):
    """Second by second, since whoever waits may not have begun to when the first one passes."""

    def passed():
        lab.advance(1)
        return condition()

    return until(passed)


def test_the_signature_is_that_of_the_published_vector():
    assert signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
        b'{"test": 2432232314}',
    ) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="  # fmt: skip


def test_a_webhook_is_signed_with_the_secret_that_the_api_tells(lab, api, listener):
    key = api.http.get("/v1/webhooks/default/secret").json()["key"]
    made = api.made(body=hooked(listener, "completed", query="?purchase_id=7"))
    heard = listener.next()

    assert heard.path == "/hook?purchase_id=7"
    assert abs(int(heard.headers["webhook-timestamp"]) - time.time()) < 60
    signed = f"{heard.id}.{heard.headers['webhook-timestamp']}.".encode() + heard.body
    secret = base64.b64decode(key.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    assert heard.headers["webhook-signature"] == f"v1,{digest}"
    assert heard.prediction == api.get(made)
    assert heard.prediction["status"] == "succeeded"


def test_timestamps_are_real_though_the_labs_clock_is_ahead(lab, api, listener):
    lab.advance(86_400)
    api.made(body=hooked(listener, "completed"))

    assert abs(int(listener.next().headers["webhook-timestamp"]) - time.time()) < 60


def test_all_events_come_in_their_order(lab, api, listener):
    lab.pace(10)
    api.made(body=hooked(listener, *EVENTS))
    assert listener.next().prediction["status"] == "processing"
    assert "0/4" in listener.next().prediction["logs"]
    lab.advance(3)
    assert "1/4" in listener.next().prediction["logs"]
    lab.advance(10)
    rest = [listener.next() for _ in range(4)]

    statuses = sorted(one.prediction["status"] for one in rest)
    assert statuses == ["processing", "processing", "succeeded", "succeeded"]
    assert len({one.id for one in rest}) == 4


@pytest.mark.parametrize(
    ("events", "count"), [(("completed",), 1), (("start", "completed"), 2), ((), 2)], ids=str
)
def test_only_what_was_asked_for_comes(lab, api, listener, events, count):
    api.drawn(body=hooked(listener, *events))
    for _ in range(count):
        listener.next()

    assert until(lambda: attempts(lab) == count)
    assert listener.is_quiet()


def test_the_logs_are_told_at_most_twice_a_second(lab, api, listener):
    lab.pace(2)
    api.made("black-forest-labs/flux-dev", body=hooked(listener, "logs", "completed"))
    lab.advance(3)
    until(lambda: attempts(lab) == 5)  # at 0, 0.5, 1 and 1.5 seconds, and at the end

    assert max(listener.next().prediction["status"] for _ in range(5)) == "succeeded"
    assert listener.is_quiet()


def test_failures_and_cancellations_are_told_as_completed(lab, api, listener):
    api.made(prompt="fail-me", body=hooked(listener, "completed"))
    assert listener.next().prediction["status"] == "failed"
    lab.pace(60)
    api.cancel(api.made(body=hooked(listener, "completed")))

    assert listener.next().prediction["status"] in ("canceled", "aborted")


def test_the_end_is_told_again_until_it_is_heard_and_has_one_id(lab, api, listener):
    listener.answers[:] = [500, 302, 404]
    api.drawn(body=hooked(listener, "completed"))
    pass_time(lab, lambda: attempts(lab) == 4)
    heard = [listener.next() for _ in range(4)]
    lab.advance(86_400)

    assert len({one.id for one in heard}) == 1
    assert attempts(lab) == 4
    assert listener.is_quiet()


def test_after_about_a_minute_nobody_tells_the_end_any_more(lab, api, listener):
    listener.answers[:] = [500] * 20
    ended = api.drawn(body=hooked(listener, "completed"))
    pass_time(lab, lambda: attempts(lab) == 7)
    passed = lab.ask("GET", "/_lab/clock")["ahead_seconds"]
    for _ in range(7):
        listener.next()
    lab.advance(86_400)

    assert ended["status"] == "succeeded"
    assert passed >= 60
    assert attempts(lab) == 7
    assert listener.is_quiet()


def test_what_comes_in_between_is_told_once_heard_or_not(lab, api, listener):
    listener.answers[:] = [500]
    lab.pace(1000)
    api.made(body=hooked(listener, "start"))
    assert listener.next().prediction["status"] == "processing"
    for _ in range(40):
        lab.advance(2)

    assert attempts(lab) == 1
    assert listener.is_quiet()


def test_one_that_is_lost_comes_again(lab, api, listener):
    lab.faults([WEBHOOK | {"kind": "drop_before", "times": 1}])
    api.drawn(body=hooked(listener, "completed"))
    until(lambda: attempts(lab) == 1)
    assert listener.is_quiet()
    pass_time(lab, lambda: attempts(lab) == 2)

    assert listener.next().prediction["status"] == "succeeded"


def test_one_whose_answer_is_lost_comes_twice(lab, api, listener):
    lab.faults([WEBHOOK | {"kind": "drop_after", "times": 1}])
    api.drawn(body=hooked(listener, "completed"))
    first = listener.next()
    pass_time(lab, lambda: attempts(lab) == 2)

    assert listener.next().id == first.id


def test_a_duplicate_has_the_same_id_and_body(lab, api, listener):
    lab.faults([WEBHOOK | {"kind": "duplicate"}])
    api.drawn(body=hooked(listener, "completed"))
    first, second = listener.next(), listener.next()

    assert (first.id, first.body) == (second.id, second.body)


def test_a_late_one_is_overtaken(lab, api, listener):
    lab.pace(60)
    lab.faults([WEBHOOK | {"kind": "delay:100000", "times": 1}])
    api.made(body=hooked(listener, "start", "completed"))
    until(lambda: attempts(lab) == 1)
    lab.advance(61)
    assert listener.next().prediction["status"] == "succeeded"
    lab.advance(100)

    late = listener.next().prediction
    assert late["status"] == "processing"
    assert "completed_at" not in late


def test_hosts_that_are_named_may_be_told_as_well():
    order = {"input": {"prompt": "x"}, "webhook": "http://gateway.invalid:7080/hook"}
    with running_lab(LAB_WEBHOOK_HOSTS="gateway.invalid, other") as lab, replicate(lab) as api:
        made = api.http.post(f"/v1/models/{SCHNELL}/predictions", json=order)

    assert made.status_code == 201
    assert json.loads(made.text)["webhook"] == order["webhook"]
