"""What the words ask for, and that nothing but words, seed and size decides."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.generator.sketching.scene import STYLES, compose
from services.generator.sketching.stage import set_stage

ROOT = Path(__file__).parents[3]


def scene(prompt, seed=1, *, without="", style="sketch"):
    return compose(prompt, seed, 256, 256, style, without)


def names(prompt, **more):
    return {subject.name for subject in scene(prompt, **more).subjects}


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("a lighthouse at dawn", {"lighthouse"}),
        ("Ein Leuchtturm und eine Katze", {"lighthouse", "cat"}),
        ("un phare et deux bateaux, un bateau", {"lighthouse", "boat"}),
        ("灯台と猫", {"lighthouse", "cat"}),
        ("маяк и кошку", {"lighthouse", "cat"}),
        ("foxes, butterflies", {"fox", "butterfly"}),
        ("a well-lit-house", {"house"}),
        ("nothing that anybody knows", set()),
    ],
)
def test_words_of_many_languages_name_what_is_in_the_picture(prompt, wanted):
    assert names(prompt) == wanted


def test_the_hour_the_place_and_the_weather_are_heard():
    heard = scene("a misty forest at night in the rain, neon")
    assert (heard.hour, heard.terrain, heard.water) == ("night", "forest", False)
    assert {"mist", "rain"} <= heard.air
    assert heard.moods == ("neon",)


def test_a_subject_brings_its_home_when_no_place_is_named():
    assert scene("a whale").water
    assert scene("cactus").terrain == "desert"
    assert scene("a cactus in the city").terrain == "city"


def test_a_colour_belongs_to_the_word_after_it():
    red, plain = scene("a red balloon"), scene("red, and a balloon")
    assert (red.subjects[0].hue, red.hue) == ("red", "")
    assert plain.hue or plain.subjects[0].hue


def test_numbers_and_plurals_count():
    assert [s.many for s in scene("three cats, 5 birds, dogs and a fox").subjects] == [3, 5, 3, 1]
    assert scene("99999999999999999999 boats").subjects[0].many == 9


@pytest.mark.parametrize("way", ["without", "prompt"])
def test_unwanted_words_remove_their_motif(way):
    prompt = "a lighthouse and a cat under the moon at night with clouds and stars"
    if way == "without":
        got = scene(prompt, without="cats, clouds, moon")
    else:
        got = scene(prompt.replace("a cat under the moon", "no cat without moon") + " no clouds")
    assert {s.name for s in got.subjects} == {"lighthouse"}
    assert not got.air & {"moon", "clouds"}
    assert "stars" in got.air


@pytest.mark.parametrize("word", ["sea", "night", "stars", "snow"])
def test_what_nobody_asked_for_is_not_added_when_it_is_unwanted(word):
    for seed in range(40):
        got = scene("something", seed, without=word)
        assert word not in (got.hour, got.terrain, *got.air)


def test_unknown_words_and_seeds_move_the_picture():
    sheets = {
        tuple(set_stage(scene(prompt, seed)).shapes[0].points)
        for prompt in ("qwertz", "zwertq")
        for seed in range(4)
    }
    assert len(sheets) == 8


def test_styles_share_one_composition():
    scenes = {scene("a boat on a lake", style=style).seed for style in STYLES}
    assert len(scenes) == 1


@pytest.mark.parametrize(
    ("width", "height", "style"), [(63, 100, "sketch"), (100, 2049, "sketch"), (100, 100, "oil")]
)
def test_what_cannot_be_drawn_is_refused_with_what_can(width, height, style):
    with pytest.raises(ValueError, match="take"):
        compose("x", 1, width, height, style)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=80), st.integers())
def test_any_text_at_all_makes_a_scene(prompt, seed):
    again = [compose(prompt, seed, 128, 64, "sketch", prompt[::-1]) for _ in range(2)]
    assert again[0] == again[1]
    assert set_stage(again[0]).shapes


# Whole numbers throughout, so these hold on every machine and Python.
SHEETS = {
    "a lighthouse at dawn": "23f7f56d39a03522",
    "three red balloons over a snowy city at night": "b772448655289f22",
    "quantum regret": "4b91812448435e53",
}

SHOW = """
import hashlib, json, sys
from services.generator.sketching.scene import compose
from services.generator.sketching.stage import set_stage
def digest(prompt):
    sheet = set_stage(compose(prompt, 7, 640, 480, "sketch"))
    shapes = [(*s[:3], *s.points, *s[4:]) for s in sheet.shapes]
    return hashlib.sha256(repr((shapes, list(sheet.air))).encode()).hexdigest()[:16]
print(json.dumps({prompt: digest(prompt) for prompt in json.loads(sys.argv[1])}))
"""


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_a_picture_is_composed_alike_in_every_process(hash_seed):
    shown = subprocess.run(
        [sys.executable, "-c", SHOW, json.dumps(list(SHEETS))],
        cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert json.loads(shown.stdout) == SHEETS
