"""A better prompt is taken as it was asked for, or not at all."""

import json

import pytest

from services.generator.language.rewriting import rewritten


@pytest.mark.parametrize(
    "answer",
    [
        '{"prompt": " a storm "}',
        'Sure:\n```json\n{"prompt": "a storm",}\n```',
        '{"prompt": "a storm',
    ],
)
def test_a_prompt_is_read_from_whole_objects(answer):
    assert rewritten(answer) == ("" if answer.endswith("storm") else "a storm")


@pytest.mark.parametrize(
    "prompt", ["", "  ", "a\0b", "\ud800", "x" * 32_001, 7, None, ["a"], {"a": "b"}]
)
def test_what_cannot_be_drawn_from_is_none(prompt):
    assert rewritten(json.dumps({"prompt": prompt})) == ""
    assert rewritten(json.dumps({"better": "a storm"})) == ""
