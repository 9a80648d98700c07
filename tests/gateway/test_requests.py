"""What people send: taken as it is meant, refused with a word about the field, never a crash."""

import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from pydantic import ValidationError

from chassis.errors import Invalid, Missing
from gateway import bodies, problem, specs

WHOLE = {
    "prompt": "a lighthouse",
    "models": ["sketch", "sketch-ink"],
    "count": 2,
    "size": "1024x768",
    "seed": 7,
    "negative_prompt": "fog",
    "preset": "poster",
    "smart_prompt": False,
    "references": [{"id": "0" * 64, "role": "style"}],
    "parameters": {"sketch": {"seconds": 1.5}},
    "fallback_models": ["sketch-mosaic"],
    "title": "t",
    "project": "p",
    "use_case": "u",
    "max_cost_usd": 2.01,
    "request_id": str(uuid.UUID(int=7)),
}
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
    max_leaves=5,
)


def test_a_variant_is_named_as_it_is_and_the_generator_finds_its_file():
    """Else a request that is sent again would need it to be there still."""
    body = bodies.Generation(prompt="a", references=[{"variant": "12", "role": "style"}])
    [reference] = specs.job_spec(body).references
    assert reference.variant == "jobs/-/variants/12"


def test_every_field_of_a_request_reaches_the_spec():
    spec = specs.job_spec(bodies.Generation.model_validate(WHOLE))

    assert (spec.prompt, list(spec.models), spec.count) == ("a lighthouse", WHOLE["models"], 2)
    assert (spec.size.width, spec.size.height, spec.seed) == (1024, 768, 7)
    assert (spec.negative_prompt, spec.preset, spec.smart_prompt) == ("fog", "poster", False)
    assert spec.references[0].asset == "assets/" + "0" * 64
    assert dict(spec.parameters["sketch"]) == {"seconds": 1.5}
    assert list(spec.fallback_models) == ["sketch-mosaic"]
    assert (spec.title, spec.project, spec.use_case) == ("t", "p", "u")
    assert spec.max_cost_usd_micros == 2_010_000


def test_what_is_null_or_left_out_is_not_set():
    nothing = dict.fromkeys(WHOLE) | {"prompt": "a"}
    spec = specs.job_spec(bodies.Generation.model_validate(nothing))
    assert spec == specs.job_spec(bodies.Generation(prompt="a"))
    assert not any(spec.HasField(name) for name in ("count", "seed", "smart_prompt", "aspect"))
    assert not spec.HasField("max_cost_usd_micros")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"prompt": "  \n"}, "prompt"),
        ({"prompt": "a\0b"}, "prompt"),
        ({"prompt": "a\ud800"}, "prompt"),
        ({"parameters": {"sketch": {"a": ["\0"]}}}, "parameters.sketch.a"),
        ({"parameters": {"sketch": {"a\0": 1}}}, "parameters.sketch"),
        ({"parameters": {"sketch": {"a": float("nan")}}}, "parameters.sketch.a"),
        ({"parameters": {"sketch": {"a": 10**400}}}, "parameters.sketch.a"),
        ({"max_cost_usd": float("inf")}, "max_cost_usd"),
        ({"aspect": "1:1"}, "size"),
        ({"models": ["a", "a"]}, "models"),
        ({"fallback_models": ["a", "a"]}, "fallback_models"),
    ],
)
def test_what_cannot_be_is_refused_by_field(change, field):
    with pytest.raises(Invalid) as refusal:
        bodies.Generation.model_validate(WHOLE | change)
    assert field in refusal.value.fields


def patterns(schema):
    """Yield every expression in *schema*."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        schema = list(schema.values())
    for one in schema if isinstance(schema, list) else ():
        yield from patterns(one)


def test_a_form_is_told_in_words_and_not_as_an_expression():
    found = [one for one in vars(bodies).values() if isinstance(one, type)]
    kinds = [kind for kind in found if issubclass(kind, bodies.Body)]
    used = {pattern for kind in kinds for pattern in patterns(kind.model_json_schema())}
    assert used == set(bodies.FORMS)
    with pytest.raises(ValidationError) as refusal:
        bodies.Generation.model_validate(WHOLE | {"size": "big", "aspect": "wide"})
    told = problem.invalid([one | {"loc": ("body", *one["loc"])} for one in refusal.value.errors()])
    assert "size: is written as 1024x768" in told.message
    assert "aspect: is written as 16:9" in told.message
    assert "99999" in told.message
    assert "[" not in told.message


def test_an_unknown_field_is_told_what_there_is():
    with pytest.raises(Invalid, match="prompt") as refusal:
        bodies.Generation.model_validate({"prompt": "a", "promt": "b"})
    assert "there are allow_successor, aspect, count" in refusal.value.fields["promt"]


def test_a_body_that_goes_too_deep_is_refused():
    deep: dict[str, object] = {}
    for _ in range(100):
        deep = {"a": deep}
    with pytest.raises(Invalid, match="deeper"):
        bodies.Generation.model_validate({"prompt": "a", "parameters": {"sketch": deep}})


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
@given(some.dictionaries(some.sampled_from(sorted(WHOLE)) | some.text(), JSON))
def test_any_object_makes_a_spec_or_is_refused(found):
    try:
        body = bodies.Generation.model_validate(found)
    except (Invalid, ValidationError):
        return
    assert specs.job_spec(body).prompt.strip()


@given(some.floats(min_value=0, max_value=10**9))
def test_a_limit_on_the_cost_is_never_rounded_up(limit):
    spec = specs.job_spec(bodies.Generation(prompt="a", max_cost_usd=limit))
    assert spec.max_cost_usd_micros / 1_000_000 <= limit * (1 + 1e-15)


def test_a_key_that_is_a_uuid_is_the_request_id_however_it_is_written():
    found = uuid.uuid4()
    assert specs.request_id(str(found).upper(), None) == str(found)
    assert specs.request_id(found.hex, found) == str(found)
    assert specs.request_id(None, found) == str(found)


@given(some.text(alphabet=some.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_any_other_key_is_one_uuid_and_always_the_same(key):
    once, again = specs.request_id(key[:255], None), specs.request_id(key[:255], None)
    assert once == again == str(uuid.UUID(once))


def test_without_either_there_is_a_new_id_each_time():
    assert specs.request_id(None, None) != specs.request_id(None, None)


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9", "a\tb"])
def test_a_key_that_is_none_is_refused(key):
    with pytest.raises(Invalid, match="255"):
        specs.request_id(key, None)


def test_a_key_that_disagrees_with_the_body_is_refused():
    with pytest.raises(Invalid, match="differs"):
        specs.request_id("abc", uuid.uuid4())


@pytest.mark.parametrize(
    ("header", "query", "after"),
    [
        (None, None, 0),
        ("0", None, 0),
        (None, "7", 7),
        ("7", "3", 7),  # a browser comes back with the URL that it began with
        (str(2**63 - 1), None, 2**63 - 1),
    ],
)
def test_a_stream_goes_on_after_the_named_event(header, query, after):
    assert specs.after_sequence(header, query) == after


@pytest.mark.parametrize(
    ("header", "query"),
    [
        ("x", None), ("-1", None), ("+1", None), ("1.0", None), ("", None), (None, ""),
        ("1" * 20, None), (str(2**63), None), ("\u0661", None), ("x", "2"), (" 1", None),
    ],
)  # fmt: skip
def test_junk_in_place_of_an_event_is_refused(header, query):
    with pytest.raises(Invalid):
        specs.after_sequence(header, query)


@given(some.text())
def test_a_path_names_a_resource_or_nothing(found):
    try:
        name = specs.resource("jobs", found)
    except Missing:
        return
    assert 1 <= int(name.removeprefix("jobs/")) < 2**63


def test_what_a_change_of_a_preset_names_is_what_is_masked():
    body = bodies.PresetChange.model_validate({"name": "N", "parameters": {"a": 1}})
    preset, mask = specs.preset(body, "presets/3", "e")
    assert sorted(mask.paths) == ["display_name", "parameters"]
    assert (preset.name, preset.etag, preset.display_name) == ("presets/3", "e", "N")


@pytest.mark.parametrize(
    ("header", "etag"), [(None, ""), ("*", ""), ('"a"', "a"), ('W/"a"', "a"), ("a", "a")]
)
def test_an_etag_is_read_out_of_if_match(header, etag):
    assert specs.etag(header) == etag


def test_of_more_input_images_than_any_model_takes_none_is_looked_up():
    found = {"prompt": "a", "references": [{"variant": "1"}] * 32}
    assert len(bodies.Generation.model_validate(found).references) == 32
    found["references"].append({"variant": "1"})
    with pytest.raises(ValidationError, match="at most 32"):
        bodies.Generation.model_validate(found)


@pytest.mark.parametrize("header", ["", " ", '""', "W/", '"a", "b"', "a,b"])
def test_an_if_match_that_is_empty_or_a_list_is_refused(header):
    with pytest.raises(Invalid, match="If-Match") as refusal:
        specs.etag(header)
    assert "one etag" in refusal.value.fields["If-Match"]


@pytest.mark.parametrize(("field", "most"), [("title", 200), ("project", 100), ("use_case", 100)])
def test_a_label_is_as_long_as_the_generator_takes_it(field, most):
    bodies.Generation.model_validate({"prompt": "a", field: "x" * most})
    with pytest.raises(ValidationError, match=f"at most {most}"):
        bodies.Generation.model_validate({"prompt": "a", field: "x" * (most + 1)})


@pytest.mark.parametrize("found", ["2020", "-1", "1e3", "2026-11-28", "2026-11-28T00:00:00", ""])
def test_a_time_that_is_not_rfc_3339_is_refused(found):
    for kind, field in ((bodies.JobFilter, "created_from"), (bodies.UsageFilter, "start")):
        with pytest.raises(ValidationError) as failure:
            kind.model_validate({field: found})
        told = [one | {"loc": ("query", *one["loc"])} for one in failure.value.errors()]
        assert "RFC 3339" in problem.invalid(told).fields[field]


@pytest.mark.parametrize("found", ["2026-11-28T00:00:00Z", "2026-11-28t01:02:03.5+01:00"])
def test_a_time_of_rfc_3339_is_taken(found):
    assert bodies.UsageFilter.model_validate({"end": found}).end
