"""A fault becomes the one right status and a problem that says what to do."""

import json

import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from chassis import errors
from gateway import bodies, problem

CASES = [
    (errors.Invalid("REQUEST_INVALID", "x"), 400),
    (errors.Invalid("MODEL_FEATURE_UNSUPPORTED", "x"), 400),
    (errors.OutOfRange("REQUEST_INVALID", "x"), 400),
    (errors.Missing("MODEL_UNKNOWN", "x"), 400),
    (errors.Missing("PRESET_UNKNOWN", "x"), 400),
    (errors.Missing("RESOURCE_UNKNOWN", "x"), 404),
    (errors.Exists("REQUEST_ID_REUSED", "x"), 422),
    (errors.Exists("PRESET_EXISTS", "x"), 409),
    (errors.Exhausted("SPEND_CAP_EXCEEDED", "x"), 402),
    (errors.Precondition("COST_LIMIT_EXCEEDED", "x"), 402),
    (errors.Precondition("PROVIDER_BALANCE_EMPTY", "x"), 402),
    (errors.Precondition("PROVIDER_CREDENTIAL_REFUSED", "x"), 409),
    (errors.Precondition("STATE_CONFLICT", "x"), 409),
    (errors.Stale("FENCE_STALE", "x"), 409),
    (errors.Stale("ETAG_MISMATCH", "x"), 412),
    (errors.Exhausted("PROVIDER_RATE_LIMITED", "x"), 429),
    (errors.Exhausted("DISK_FULL", "x"), 507),
    (errors.Unavailable("PROVIDER_UNAVAILABLE", "x"), 503),
    (errors.Late("SERVICE_UNAVAILABLE", "x"), 503),
    (errors.Unauthenticated("CREDENTIAL_INVALID", "x"), 401),
    (errors.Denied("SCOPE_MISSING", "x"), 403),
    (errors.DataLoss("HASH_MISMATCH", "x"), 500),
    (errors.Fault("INTERNAL", "x"), 500),
]


@pytest.mark.parametrize(
    ("fault", "status"), CASES, ids=lambda found: getattr(found, "reason", None) or str(found)
)
def test_every_fault_has_its_status(fault, status):
    assert problem.status_of(fault, in_path=False) == status


@pytest.mark.parametrize("reason", ["MODEL_UNKNOWN", "PRESET_UNKNOWN"])
def test_a_name_that_is_not_known_is_404_in_a_path(reason):
    assert problem.status_of(errors.Missing(reason, "x"), in_path=True) == 404


def test_every_reason_of_the_contract_is_answered_with_an_error_status():
    for kind, status in problem._BY_KIND:
        assert 400 <= status < 600, kind
    assert {status for _, status in CASES} >= {
        400,
        401,
        402,
        403,
        404,
        409,
        412,
        422,
        429,
        503,
        507,
    }


def test_a_problem_has_the_members_of_the_rfc_and_ours():
    fault = errors.Exhausted(
        "SPEND_CAP_EXCEEDED", "Wait.", fields={"spec.prompt": "long"}, retry_after=2.3
    )

    answer = problem.respond(fault, instance="/images/generate")

    assert answer.media_type == "application/problem+json"
    assert answer.headers["retry-after"] == "3"
    assert json.loads(answer.body) == {
        "type": "urn:imagestudio:problem:spend-cap-exceeded",
        "title": "Spend cap exceeded",
        "status": 402,
        "detail": "Wait.",
        "code": "SPEND_CAP_EXCEEDED",
        "instance": "/images/generate",
        "fields": {"prompt": "long"},
        "retry_after": 2.3,
    }


def test_who_is_not_known_is_told_how_to_come_in():
    answer = problem.respond(errors.Unauthenticated("CREDENTIAL_MISSING", "x"))
    assert answer.headers["www-authenticate"] == "Bearer"


def test_text_that_is_no_unicode_does_not_break_a_problem():
    answer = problem.respond(errors.Invalid("REQUEST_INVALID", "\ud800", fields={"\ud800": "x"}))
    assert json.loads(answer.body)["status"] == 400


@pytest.mark.parametrize(
    ("body", "field", "why"),
    [
        ({}, "prompt", "is missing"),
        ({"prompt": ""}, "prompt", "is empty"),
        ({"prompt": "x" * 32_001}, "prompt", "takes at most 32000 characters"),
        ({"prompt": "x", "count": 0}, "count", "takes 1 or more"),
        ({"prompt": "x", "count": 10**9}, "count", "takes 32 or less"),
        ({"prompt": "x", "count": "2"}, "count", "takes a whole number"),
        ({"prompt": "x", "count": True}, "count", "takes a whole number"),
        ({"prompt": "x", "smart_prompt": "yes"}, "smart_prompt", "takes true or false"),
        ({"prompt": "x", "request_id": "7"}, "request_id", "takes a UUID"),
        ({"prompt": 7}, "prompt", "takes text"),
        ({"prompt": "x", "max_cost_usd": -1}, "max_cost_usd", "takes 0 or more"),
        ({"prompt": "x", "max_cost_usd": "much"}, "max_cost_usd", "takes a number"),
        ({"prompt": "x", "models": "sketch"}, "models", "takes a list"),
        ({"prompt": "x", "parameters": []}, "parameters", "takes an object"),
        ({"prompt": "x", "references": [7]}, "references[0]", "takes an object"),
    ],
)
def test_what_is_wrong_is_said_by_field(body, field, why):
    told_of(bodies.Generation, body, field, why)


@pytest.mark.parametrize(
    ("query", "field", "why"),
    [
        ({"page_size": "many"}, "page_size", "takes a whole number"),
        ({"page_size": "9" * 5000}, "page_size", "takes a whole number of fewer digits"),
        ({"min_rating": "1.5"}, "min_rating", "takes a whole number"),
        ({"favorites_only": "perhaps"}, "favorites_only", "takes true or false"),
    ],
)
def test_what_is_wrong_in_a_query_is_said_in_the_same_words(query, field, why):
    told_of(bodies.VariantFilter, query, field, why)


def told_of(kind, found, field, why):
    with pytest.raises(ValidationError) as failure:
        kind.model_validate(found)
    found = [one | {"loc": ("body", *one["loc"])} for one in failure.value.errors()]

    fault = problem.invalid(RequestValidationError(found).errors())

    assert fault.fields == {field: why}


def test_whether_it_was_charged_is_one_field():
    purchase = "01890000-0000-7000-8000-000000000001"
    wrong = {"purchase_id": purchase, "charged": "perhaps"}
    told_of(bodies.Settlement, wrong, "charged", "takes 'yes', 'no', True or False")
