"""The built-in suggester: distinct prompts around an idea that stays as it was written."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.generator.language.builtin.suggester import suggest
from services.generator.language.builtin.templates import KINDS, LIGHTS, MEDIA, TOUCHES, VIEWS
from services.generator.models.sketch import MODELS
from services.generator.sketching.lexicon import listen

IDEAS = [
    "a lighthouse at dusk by the sea",
    "ein Fuchs im Wald",
    "ночной город под дождём",
    "夕日の灯台",
    "قطة على السطح",
    "something nobody ever heard of",
    "logo for a bakery",
    "watercolour of a harbour at night, 16:9",
    "",
]


@pytest.mark.parametrize("idea", IDEAS)
def test_as_many_as_are_asked_for_and_no_two_alike(idea):
    found = suggest(idea, 12, 1)
    assert len(found) == 12
    assert len({each.prompt for each in found}) == 12
    assert len({each.title for each in found}) == 12


@pytest.mark.parametrize("idea", IDEAS)
def test_the_seed_decides(idea):
    assert suggest(idea, 4, 7) == suggest(idea, 4, 7)
    assert suggest(idea, 4, 7) != suggest(idea, 4, 8)


@pytest.mark.parametrize("idea", IDEAS[:-1])
def test_the_idea_stands_in_every_prompt_as_it_was_written(idea):
    for each in suggest(idea, 5, 3):
        assert each.prompt.startswith(f"{idea}, ")


def test_the_first_ones_differ_in_view_and_medium():
    found = suggest("a windmill", 5, 2)
    assert len({each.title.split(", ")[0] for each in found}) == 5
    assert len({each.title.split(", ")[1] for each in found}) == 5


@pytest.mark.parametrize(
    ("idea", "kind"),
    [
        ("a cat on the roof", "creature"),
        ("ein Leuchtturm im Sturm", "building"),
        ("Гора и озеро", "place"),
        ("a street in Tokyo", "city"),
        ("una taza de café", "thing"),
        ("桜の花", "plant"),
        ("an astronaut", "person"),
        ("an icon of a fox", "mark"),
        ("a beach without boats", "place"),
        ("serendipity", "any"),
    ],
)
def test_views_suit_the_kind_of_idea(idea, kind):
    titles = {view.title for view in VIEWS[kind]}
    for each in suggest(idea, 6, 5):
        assert each.title.split(", ")[0] in titles


def test_a_light_that_the_idea_names_is_not_contradicted():
    for each in suggest("a harbour at night", 12, 1):
        assert not any(light.words in each.prompt for light in LIGHTS)
    assert any(light.words in suggest("a harbour", 1, 1)[0].prompt for light in LIGHTS)


def test_a_medium_that_the_idea_names_is_not_contradicted():
    for each in suggest("Oil painting of a harbour", 12, 1):
        assert not any(medium.words in each.prompt for medium in MEDIA)
    assert any(medium.words in suggest("a harbour", 1, 1)[0].prompt for medium in MEDIA)


def test_a_mark_is_neither_lit_nor_painted():
    for each in suggest("logo for a bakery", 12, 1):
        assert not any(part.words in each.prompt for part in (*LIGHTS, *MEDIA))


def test_a_shape_that_the_idea_names_is_taken():
    assert {each.parameters["aspect"] for each in suggest("a harbour, 9:16", 5, 1)} == {"9:16"}
    for hour in ("9:16:30", "19:16"):
        found = suggest(f"a clock at {hour}", 5, 1)
        assert {each.parameters["aspect"] for each in found} != {"9:16"}


def test_what_the_idea_excludes_is_left_out_by_the_model():
    for each in suggest("a beach without people", 3, 1):
        assert each.parameters["negative_prompt"] == "people"
    assert "negative_prompt" not in suggest("a beach", 1, 1)[0].parameters


def test_every_aspect_is_drawn_by_the_built_in_model():
    aspects = {view.aspect for views in VIEWS.values() for view in views}
    assert aspects <= set(MODELS[0].shapes)


def test_every_subject_of_the_lexicon_has_a_kind():
    assert set(KINDS.values()) <= set(VIEWS)
    for word in KINDS:
        (heard,) = listen(word)
        assert any(meaning == ("subject", word) for meaning in heard.meanings)


def test_without_an_idea_each_one_is_of_another():
    found = suggest(" \n", 12, 4)
    assert len({each.prompt.split(",")[0] for each in found}) == 12


def test_a_long_idea_is_cut_at_a_words_end():
    (found,) = suggest("lighthouse and " * 5000, 1, 1)
    assert len(found.prompt) < 1000
    assert found.prompt.split(", ")[0].endswith(("lighthouse", "and"))


@given(idea=st.text(max_size=900), seed=st.integers(), count=st.integers(1, 12))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_text_makes_suggestions(idea, seed, count):
    assert len({each.prompt for each in suggest(idea, count, seed)}) == count


@pytest.mark.parametrize("idea", ["a\0b", "half \ud83d a pair", "line\nline\u2028line"])
def test_what_no_database_takes_is_left_out(idea):
    for each in suggest(idea, 2, 1):
        assert each.prompt.isprintable()


def test_what_joins_letters_is_kept():
    assert suggest("می\u200cخواهم", 1, 1)[0].prompt.startswith("می\u200cخواهم, ")


@pytest.mark.parametrize("count", [0, -1, 13])
def test_another_count_is_refused(count):
    with pytest.raises(ValueError, match="count must be from 1 to 12"):
        suggest("a cat", count, 1)


def test_no_two_templates_are_alike():
    for parts in (*VIEWS.values(), LIGHTS, MEDIA, TOUCHES):
        assert (
            len({part.title for part in parts}) == len({part.words for part in parts}) == len(parts)
        )
