"""What a language model said keeps the rules, or it is refused by the name of the place."""

import re

import pytest

from services.generator.language.findings import Finding, Suggestion, Swatch, Unfit

SUGGESTED = {
    "title": "Harbour at dawn",
    "prompt": "A harbour at dawn, boats in the mist",
    "parameters": {"aspect": "3:2", "negative_prompt": "people"},
}
FOUND = {
    "description": "A dark picture with a bright disc.",
    "styles": ["flat graphic"],
    "palette": [{"hex": "#0A1020", "share": 0.8}, {"hex": "#ffe0a0", "share": 0.205}],
    "suggested_prompt": "a bright disc on a dark ground",
}


def test_a_suggestion_is_read_from_json():
    assert Suggestion.read(SUGGESTED) == Suggestion(
        "Harbour at dawn",
        "A harbour at dawn, boats in the mist",
        {"aspect": "3:2", "negative_prompt": "people"},
    )


def test_a_finding_is_read_from_json():
    assert Finding.read(FOUND) == Finding(
        "A dark picture with a bright disc.",
        ("flat graphic",),
        (Swatch("#0a1020", 0.8), Swatch("#ffe0a0", 0.205)),
        "a bright disc on a dark ground",
    )


@pytest.mark.parametrize(
    ("said", "named"),
    [
        (["a list"], "suggestion must be of type object"),
        ({"title": "No prompt", "parameters": {}}, "suggestion.prompt is required"),
        (SUGGESTED | {"title": 7}, "suggestion.title must be of type string"),
        (SUGGESTED | {"title": " "}, "title must not be blank"),
        (SUGGESTED | {"title": "t" * 81}, "title must have at most 80 characters"),
        (SUGGESTED | {"title": "two\nlines"}, "title must be one line"),
        (SUGGESTED | {"prompt": "\n"}, "prompt must not be blank"),
        (SUGGESTED | {"prompt": "p" * 32_001}, "prompt must have at most 32000 characters"),
        (SUGGESTED | {"prompt": "a\0b"}, "prompt must be text that can be stored"),
        (SUGGESTED | {"prompt": "half \ud83d"}, "prompt must be text that can be stored"),
        (SUGGESTED | {"command": "rm"}, "suggestion.command is unknown"),
        (SUGGESTED | {"parameters": None}, "suggestion.parameters must be of type object"),
        (SUGGESTED | {"parameters": {"max_cost": 9}}, "suggestion.parameters.max_cost is unknown"),
        (SUGGESTED | {"parameters": {"aspect": 1.5}}, "parameters.aspect must be of type string"),
        (SUGGESTED | {"parameters": {"aspect": "wide"}}, 'parameters.aspect must be written as "W'),
        (SUGGESTED | {"parameters": {"negative_prompt": ""}}, "negative_prompt must not be blank"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_suggestion_is_refused_by_the_name_of_the_place(said, named):
    with pytest.raises(Unfit, match=re.escape(named)):
        Suggestion.read(said)


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("a text", "finding must be of type object"),
        ({**FOUND, "description": ""}, "description must not be blank"),
        ({**FOUND, "description": "d" * 4001}, "description must have at most 4000 characters"),
        ({**FOUND, "suggested_prompt": ""}, "suggested_prompt must not be blank"),
        ({**FOUND, "styles": "photo"}, "finding.styles must be of type array"),
        ({**FOUND, "styles": ["s" * 41]}, "styles[0] must have at most 40 characters"),
        ({**FOUND, "styles": ["s"] * 13}, "finding.styles must have at most 12 entries"),
        ({**FOUND, "palette": [{"hex": "#0a1020"}]}, "finding.palette[0].share is required"),
        ({**FOUND, "palette": [{"hex": "navy", "share": 1}]}, 'hex must be written as "#rrggbb"'),
        ({**FOUND, "palette": [{"hex": "#0a1020", "share": 1.5}]}, "share must be from 0 to 1"),
        (
            {**FOUND, "palette": [{"hex": "#0a1020", "share": float("nan")}]},
            "share must be from 0 to 1",
        ),
        (
            {**FOUND, "palette": [{"hex": "#0a1020", "share": 0.6}] * 2},
            "palette must not have more than the whole picture",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_finding_is_refused_by_the_name_of_the_place(said, named):
    with pytest.raises(Unfit, match=re.escape(named)):
        Finding.read(said)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Swatch("#FFF", 0.5),
        lambda: Swatch("#ffffff", -0.1),
        lambda: Suggestion("Title", "prompt", {"models": ["sketch"]}),
        lambda: Finding("d", ("s",) * 13, (), "p"),
        lambda: Finding("d", (), (Swatch("#ffffff", 0.1),) * 9, "p"),
    ],
)
def test_one_that_was_not_read_is_held_to_the_same_rules(make):
    with pytest.raises(Unfit):
        make()
