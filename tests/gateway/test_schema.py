"""Schemathesis asks every described route what it was not made for, on a real stack."""

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks

from gateway.app import routes

# What starts jobs is left to tests that choose how many.
schema = schemathesis.openapi.from_dict(routes().openapi()).exclude(path_regex="^/images/generate")


@schema.parametrize()
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_that_is_described(case, stack):
    case.call_and_validate(
        base_url=stack.url,
        checks=[
            checks.not_a_server_error,
            checks.status_code_conformance,
            checks.content_type_conformance,
            checks.response_schema_conformance,
        ],
    )
