"""Entries of MODELS_DIR: the page's own is one, and what is none says which file and why."""

import json
import re
from pathlib import Path

import pytest

from chassis.settings import SettingsError, read
from services.generator import models
from services.generator.models import Registry, files
from services.generator.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-model.md"
[(WHERE, ENTRY)] = re.findall(r"(?ms)^```json (\S+)\n(.*?)^```$", PAGE.read_text())


def put(folder: Path, entry: object = None, where: str = WHERE) -> Path:
    path = folder / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(entry if isinstance(entry, str) else json.dumps(entry or json.loads(ENTRY)))
    return folder


def test_the_page_s_entry_is_a_model(tmp_path):
    [model] = files.added(put(tmp_path))
    assert (model.key, model.provider, model.price) == ("flux-dev", "replicate", 25_000)
    assert model.size("16:9") == (1344, 768)
    assert model.wire.count == "num_outputs"


@pytest.mark.parametrize(
    ("change", "where", "says"),
    [
        ({"colour": "red"}, WHERE, "colour: "),
        ({"price": "0.025"}, WHERE, "price: .*integer"),
        ({"slug": None}, WHERE, "slug: "),
        ({"wire": {"ratio": "aspect_ratio"}}, WHERE, "wire.ratio: "),
        ({"shapes": {}}, WHERE, "shapes: there must be one"),
        ({"shapes": {"wide": [8, 8]}}, WHERE, "'wide' is no"),
        ({"shapes": {"1:1": [0, 0]}}, WHERE, "sides are above 0"),
        ({"shapes": {"1:1": [8]}}, WHERE, "shapes.1:1.1: "),
        ({"wire": {"aspect": "aspect_ratio"}}, WHERE, "wire.count names"),
        ({"typical": 0}, WHERE, "seconds above 0"),
        ({"seeds": [9, 0]}, WHERE, "the least, then the most"),
        ({"seeds": [0]}, WHERE, "seeds"),
        ({"price": -1}, WHERE, "not below 0"),
        ({"price": 0}, WHERE, "price: what an image costs at most, above 0"),
        ({"prices": [{"price": 30_000}]}, WHERE, "the dearest of prices"),
        ({"prices": [{"price": 1, "asked": {"mood": "high"}}]}, WHERE, "no parameter 'mood'"),
        ({"tokens": {"text": 5}}, WHERE, "tokens.text: "),
        ({"tokens": {"text_in": -1}}, WHERE, "tokens: not below 0"),
        ({"surcharges": {"mood": 1}}, WHERE, "no parameter 'mood'"),
        ({"prices": [{"price": 1, "per": -1}]}, WHERE, "per and what surcharges add"),
        ({"retired": "soon"}, WHERE, "retired: a date"),
        ({"successor": "flux-dev"}, WHERE, "successor: another"),
        ({"references": [{"input": "image", "roles": ["muse"]}]}, WHERE, "references.0.roles"),
        ({"references": [{"input": "image", "roles": [""], "most": 2}]}, WHERE, "a list: many"),
        (
            {"references": [{"input": "mask", "roles": ["mask"], "needs": "edit_base"}]},
            WHERE,
            "the edit_base that it needs",
        ),
        (
            {"references": [{"input": "image", "roles": [""]}], "max_references": 2},
            WHERE,
            "max_references: at most",
        ),
        ({}, "replicate/Flux_Dev.json", "small letters"),
        ({}, "nobody/flux-dev.json", "one of .*recraft, replicate"),
    ],
)
def test_what_is_wrong_is_told_by_file_and_field(tmp_path, change, where, says):
    put(tmp_path, json.loads(ENTRY) | change, where)
    with pytest.raises(files.EntryError, match=f"{where}: .*{says}"):
        files.added(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", '"flux"'])
def test_what_is_no_object_is_told(tmp_path, text):
    put(tmp_path, text or " ")
    with pytest.raises(files.EntryError, match=f"{WHERE}: it is no JSON object"):
        files.added(tmp_path)


def test_the_start_ends_with_what_is_wrong(tmp_path):
    told = {"SERVICE_SECRET": "x" * 32, "MODELS_DIR": str(tmp_path / "none")}
    with pytest.raises(SettingsError, match=r"MODELS_DIR.*there is no folder"):
        read(Settings, told)
    told["MODELS_DIR"] = str(put(tmp_path))
    assert [model.key for model in read(Settings, told).models] == ["flux-dev"]


def test_an_entry_comes_before_ours_of_the_same_provider_and_key(tmp_path):
    changed = json.loads(ENTRY) | {"slug": "black-forest-labs/flux-schnell", "price": 4000}
    added = files.added(put(tmp_path, changed, "replicate/flux-schnell.json"))
    registry = Registry((*added, *models.EVERY), configured={"replicate"}, default="sketch")
    assert registry.usable("flux-schnell").price == 4000
    assert registry.known("flux-schnell", "replicate").price == 4000


@pytest.mark.parametrize("model", models.EVERY, ids=lambda each: f"{each.provider}-{each.key}")
def test_none_of_ours_has_a_flaw(model):
    assert list(files.flaws(model)) == []
