"""Messages of the contract become the JSON that the documentation promises."""

import json

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as some

from gateway import bodies, plain, render
from gateway.answers import Job as JobAnswer
from gateway.answers import Model as ModelAnswer
from gateway.answers import Preset as PresetAnswer
from gateway.answers import Settled as SettledAnswer
from gateway.answers import Usage as UsageAnswer
from gateway.answers import Variant as VariantAnswer
from imagestudio.catalog.v1.catalog_service_pb2 import ChargeSettlement, GetUsageResponse
from imagestudio.catalog.v1.preset_pb2 import Preset
from imagestudio.catalog.v1.usage_pb2 import SpendCap
from imagestudio.generator.v1.model_pb2 import MODEL_STATE_ACTIVE, Model, ModelCapabilities
from imagestudio.type.v1 import job_event_pb2
from imagestudio.type.v1.cost_pb2 import (
    CHARGED_NO,
    CHARGED_UNKNOWN,
    CHARGED_YES,
    COST_BASIS_ESTIMATED,
    COST_BASIS_METERED,
    Cost,
)
from imagestudio.type.v1.image_pb2 import (
    REFERENCE_ROLE_EDIT_BASE,
    REFERENCE_ROLE_UNSPECIFIED,
    ImageOutput,
    PixelSize,
    Variant,
)
from imagestudio.type.v1.job_event_pb2 import JobEvent
from imagestudio.type.v1.job_pb2 import (
    JOB_STATE_PARTIALLY_SUCCEEDED,
    Job,
    JobEstimate,
    JobFailure,
    JobSpec,
)
from imagestudio.type.v1.purchase_pb2 import PURCHASE_STATE_PLANNED, Purchase

RENDER = render.Renderer("https://studio.test")
IMAGE = ImageOutput(
    variant="jobs/7/variants/9",
    purchase_id="0190",
    version_number=1,
    model="sketch",
    url="/i/abc",
    thumbnail_url="/i/abc/thumbnail",
    path="/i/abc",
    image_hash="00ff",
    media_type="image/png",
    size_bytes=10,
    size=PixelSize(width=4, height=3),
    seed=2**62,
    cost=Cost(usd_micros=3_001, basis=COST_BASIS_METERED),
)
IMAGE.generation_time.FromMilliseconds(1500)
JOB = Job(
    name="jobs/7",
    state=JOB_STATE_PARTIALLY_SUCCEEDED,
    title="t",
    original_prompt="p",
    spec=JobSpec(models=["sketch"], count=2),
    cost=Cost(usd_micros=3_001, basis=COST_BASIS_METERED),
    images=[IMAGE],
    failures=[
        JobFailure(purchase_id=f"0{charged}", model="m", reason="R", message="w", charged=charged)
        for charged in (1, 2, 3)
    ],
    last_sequence=12,
)
JOB.create_time.FromSeconds(0)
JOB.update_time.FromSeconds(0)


def test_an_image_has_every_documented_key():
    assert RENDER.image(IMAGE) == {
        "job_id": "7",
        "variant_id": "9",
        "purchase_id": "0190",
        "model": "sketch",
        "version_number": 1,
        "url": "https://studio.test/i/abc",
        "thumbnail_url": "https://studio.test/i/abc/thumbnail",
        "vault_url": "https://studio.test/i/abc",
        "image_hash": "00ff",
        "media_type": "image/png",
        "size_bytes": 10,
        "width": 4,
        "height": 3,
        "seed": 2**62,
        "cost_usd": 0.003001,
        "generation_time_ms": 1500,
    }


def test_a_published_image_is_the_same_with_the_cdns_links_as_they_are():
    published = ImageOutput()
    published.CopyFrom(IMAGE)
    published.url, published.thumbnail_url = "https://cdn.test/abc", "https://cdn.test/w_512/abc"
    kind, found = RENDER.event(JobEvent(sequence=8, job="jobs/7", image_published=published))
    urls = {"url": "https://cdn.test/abc", "thumbnail_url": "https://cdn.test/w_512/abc"}
    assert (kind, found) == ("image_published", RENDER.image(IMAGE) | urls)
    assert found["vault_url"] == "https://studio.test/i/abc"


def test_an_old_event_that_knows_no_path_into_the_vault_says_null():
    old = ImageOutput(variant="jobs/7/variants/9", url="https://cdn.test/abc")
    assert RENDER.image(old)["vault_url"] is None


def test_completed_tells_images_and_failures_and_whether_they_were_charged():
    kind, found = RENDER.event(
        JobEvent(sequence=9, job="jobs/7", completed=JobEvent.Completed(job=JOB))
    )

    assert kind == "completed"
    assert (found["job_id"], found["state"]) == ("7", "partially_succeeded")
    assert found["images"] == [RENDER.image(IMAGE)]
    assert [one["charged"] for one in found["failures"]] == [True, False, None]
    assert found["failures"][0]["model"] == "m"
    assert found["cost_usd"] == 0.003001


def test_a_job_is_its_outcome_and_what_was_asked_for():
    found = RENDER.job(JOB)

    assert found == found | RENDER.job_outcome(JOB)
    assert found["created_at"] == "1970-01-01T00:00:00Z"
    assert (found["title"], found["prompt"], found["last_sequence"]) == ("t", "p", 12)
    JobAnswer.model_validate(found)


def test_what_is_at_risk_stands_in_the_job_its_failures_and_its_events():
    job = Job(name="jobs/7", at_risk_usd_micros=40_001, at_risk_count=2, retry_of="jobs/5")
    job.failures.add(charged=CHARGED_UNKNOWN, cost=Cost(usd_micros=1, basis=COST_BASIS_ESTIMATED))
    found = RENDER.job(job)
    assert (found["at_risk_usd"], found["at_risk_count"], found["retry_of"]) == (0.040001, 2, "5")
    assert (found["failures"][0]["charged"], found["failures"][0]["cost_usd"]) == (None, 0.000001)
    listed = RENDER.job_summary(job)
    assert (listed["at_risk_usd"], listed["at_risk_count"]) == (0.040001, 2)
    event = JobEvent(job="jobs/7", completed=JobEvent.Completed(job=job))
    assert RENDER.event(event)[1]["at_risk_usd"] == 0.040001
    held = Cost(usd_micros=40_001, basis=COST_BASIS_ESTIMATED)
    unclear = JobEvent(job="jobs/7", unclear=JobEvent.Unclear(purchase_id="0190", held=held))
    assert RENDER.event(unclear)[1]["at_risk_usd"] == 0.040001
    assert RENDER.job(JOB)["retry_of"] is None
    assert RENDER.job(JOB)["failures"][0]["cost_usd"] is None  # told before there was one


def test_a_feed_tells_how_a_job_ended_and_not_what_it_brought():
    event = JobEvent(sequence=9, job="jobs/7", completed=JobEvent.Completed(job=JOB))
    kind, found = RENDER.news(event)
    assert (kind, found["job_id"], found["title"]) == ("completed", "7", "t")
    assert found["state"] == "partially_succeeded"
    assert not {"images", "failures", "models", "count"} & set(found)
    image = JobEvent(sequence=8, job="jobs/7", image_published=IMAGE)
    assert RENDER.news(image) == RENDER.event(image)
    assert RENDER.news(JobEvent(heartbeat=JobEvent.Heartbeat())) is None


def test_a_settlement_is_told_with_what_counted_before():
    told = JobEvent.ChargeSettled(
        purchase_id="0190",
        charged=CHARGED_NO,
        cost=Cost(basis=COST_BASIS_METERED),
        counted=Cost(usd_micros=3_001, basis=COST_BASIS_ESTIMATED),
    )
    kind, found = RENDER.news(JobEvent(sequence=8, job="jobs/7", charge_settled=told))
    assert (kind, found["job_id"], found["charged"]) == ("charge_settled", "7", "no")
    assert (found["cost_usd"], found["counted_usd"]) == (0.0, 0.003001)
    settled = ChargeSettlement(charged=CHARGED_YES, cost_usd_micros=7, settled_by="users/5")
    assert render.settlement(settled)["charged"] is True
    answer = RENDER.job(JOB) | {"settlement": render.settlement(settled)}
    assert SettledAnswer.model_validate(answer).settlement.cost_usd == 0.000007


def test_accepted_carries_the_job_and_the_estimate():
    estimate = JobEstimate(
        reserved=Cost(usd_micros=40_000, basis=COST_BASIS_ESTIMATED),
        expected=Cost(usd_micros=30_000, basis=COST_BASIS_ESTIMATED),
    )
    event = JobEvent(sequence=1, job="jobs/7", accepted=JobEvent.Accepted(estimate=estimate))

    kind, found = RENDER.event(event)

    assert (kind, found["job_id"]) == ("accepted", "7")
    assert found["estimate"]["reserved_usd"] == 0.04
    assert found["estimate"]["expected_usd"] == 0.03


def test_progress_has_four_keys_and_a_fraction_only_where_one_is_known():
    event = JobEvent(progress=JobEvent.Progress(purchase_id="0190", model="m", fraction=0.25))
    unknown = JobEvent(progress=JobEvent.Progress(purchase_id="0190", model="m", estimated=True))

    assert RENDER.event(event) == (
        "progress",
        {"purchase_id": "0190", "model": "m", "fraction": 0.25, "estimated": False},
    )
    assert RENDER.event(unknown)[1]["fraction"] is None


def test_any_other_event_has_the_names_of_the_contract():
    purchase = Purchase(
        purchase_id="0190",
        job="jobs/7",
        state=PURCHASE_STATE_PLANNED,
        reserved_usd_micros=40_000,
        cost=Cost(usd_micros=1, basis=COST_BASIS_METERED),
    )
    queued = JobEvent(job="jobs/7", queued=JobEvent.Queued(purchases=[purchase]))

    kind, found = RENDER.event(queued)

    assert kind == "queued"
    (one,) = found["purchases"]
    assert (one["state"], one["reserved_usd"], one["cost_usd"]) == ("planned", 0.04, 0.000001)
    assert one["deadline"] is None
    assert not {"ending", "charged"} & set(one)


def test_a_heartbeat_is_no_event():
    assert RENDER.event(JobEvent(heartbeat=JobEvent.Heartbeat())) is None
    assert RENDER.event(JobEvent()) is None


def test_every_event_of_the_contract_is_rendered_as_json():
    cases = job_event_pb2.JobEvent.DESCRIPTOR.oneofs_by_name["event"].fields
    for case in cases:
        event = JobEvent(job="jobs/7")
        getattr(event, case.name).SetInParent()
        found = RENDER.event(event)
        assert found is None if case.name == "heartbeat" else found[0] == case.name
        json.dumps(found)


def test_every_answer_has_what_its_description_promises():
    variant = Variant(name="jobs/7/variants/9", cdn_url="/i/a", path="/i/a", etag="1")
    variant.create_time.FromSeconds(0)
    model = Model(key="m", state=MODEL_STATE_ACTIVE, capabilities=ModelCapabilities())

    VariantAnswer.model_validate(RENDER.variant(variant))
    PresetAnswer.model_validate(render.preset(Preset(name="presets/1", preset_key="a")))
    ModelAnswer.model_validate(render.model(model))
    UsageAnswer.model_validate(render.usage(GetUsageResponse(cap=SpendCap(period="2026-11"))))


@given(some.integers(-62135596800, 253402300799), some.integers(0, 9), some.integers(0, 10**9 - 1))
def test_a_time_is_written_as_protobuf_writes_it(seconds, digits, nanos):
    moment = Timestamp(seconds=seconds, nanos=nanos // 10**digits * 10**digits)
    assert plain.time(moment) == moment.ToJsonString()


def test_what_nobody_knows_is_null_and_no_zero():
    assert RENDER.image(ImageOutput(variant="jobs/7/variants/9"))["generation_time_ms"] is None
    found = RENDER.variant(Variant(name="jobs/7/variants/9"))
    assert found["generation_time_ms"] is None
    assert found["replicate_prediction_id"] is None
    assert render.preset(Preset(name="presets/1"))["batch_count"] is None


def test_what_has_no_fraction_is_written_without_one():
    variant = Variant(name="jobs/7/variants/9")
    variant.parameters.update({"width": 1344, "steps": [4, 2.5], "in": {"far": 2**60}})
    found = RENDER.variant(variant)["parameters"]
    assert json.dumps(found, sort_keys=True) == json.dumps(
        {"in": {"far": float(2**60)}, "steps": [4, 2.5], "width": 1344}, sort_keys=True
    )


def test_a_model_tells_the_roles_that_a_request_may_name():
    roles = [REFERENCE_ROLE_UNSPECIFIED, REFERENCE_ROLE_EDIT_BASE]
    found = render.model(Model(capabilities=ModelCapabilities(reference_roles=roles)))
    [role] = found["capabilities"]["reference_roles"]
    assert bodies.Reference(id="0" * 64, role=role).role == "edit_base"


def test_what_is_not_described_is_not_told():
    assert set(RENDER.variant(Variant())) == set(VariantAnswer.model_fields)


def test_a_rating_that_is_not_set_is_null_and_a_link_of_a_cdn_stays():
    published = Variant(name="jobs/7/variants/9", cdn_url="https://cdn.test/a", path="/i/a")
    found = RENDER.variant(published)
    assert found["user_rating"] is None
    assert found["cdn_url"] == found["url"] == "https://cdn.test/a"
    assert found["vault_url"] == "https://studio.test/i/a"
    assert "path" not in found


def test_the_cap_tells_what_it_leaves_and_nothing_where_there_is_none():
    cap = SpendCap(cap_usd_micros=1_000_000, spent_usd_micros=300_000, reserved_usd_micros=800_000)
    assert render.usage(GetUsageResponse(cap=cap))["cap"]["remaining_usd"] == 0
    assert render.usage(GetUsageResponse(cap=SpendCap()))["cap"]["remaining_usd"] is None


@given(some.integers(min_value=0, max_value=10**15))
def test_dollars_say_every_millionth(micros):
    assert round(plain.dollars(micros) * 1_000_000) == micros
