"""A case of `models --check` is ok only where the vendor says that it was given what was asked."""

import json
from threading import Event as Flag
from typing import Any

import httpx
import pytest

from cli.edge import Edge
from cli.trials import OK, WRONG, Trial

STUDIO = "http://edge.test"
ASSET, OTHER = "a" * 64, "f" * 64
CAN = {"max_references": 4, "reference_roles": ["unspecified", "style", "edit_base", "mask"]}
CAN |= {"seed": True, "negative_prompt": True}


class World(httpx.BaseTransport):
    """
    A stack that echoes what it is asked, and a vendor that is *given* what it says.

    *obeys* are the words that its pictures go with.
    """

    def __init__(self, given: dict[str, Any] | None, obeys: tuple[str, ...] = ()) -> None:
        self.given, self.obeys, self.charges = given, obeys, list[dict[str, Any]]()
        self.asked: dict[str, Any] = {}
        self.jobs, self.named = 0, list[list[str]]()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/images/generate/stream":
            self.asked = json.loads(request.read())
            return httpx.Response(200, text=self._drawn())
        echoed = {"negative_prompt": self.asked.get("negative_prompt")}
        return httpx.Response(200, json=echoed)

    def _drawn(self) -> str:
        self.jobs += 1
        purchase = f"p{self.jobs}"
        if self.given is not None:
            self.charges.append({"purchase_id": purchase, "usd": 0.0, "given": self.given})
            named = [each["id"] for each in self.asked.get("references", []) if "id" in each]
            self.named += [named] if named else []
        heard = json.dumps([self.asked.get(name) for name in self.obeys])
        image = {
            "purchase_id": purchase, "variant_id": "1", "image_hash": heard,
            "seed": self.asked.get("seed"), "vault_url": f"{STUDIO}/i/abc",
            "media_type": "image/png",
        }  # fmt: skip
        outcome = {"job_id": "7", "state": "succeeded", "images": [image], "failures": []}
        return f"id: 1\nevent: completed\ndata: {json.dumps(outcome)}\n\n"


def tried(world: World, case: str, provider: str = "replicate") -> tuple[str, str]:
    edge = Edge(STUDIO, transport=world, pause=lambda _: None)
    model = {"key": "m", "provider": provider, "capabilities": CAN}
    trial = Trial(edge, lambda: world.charges, model, Flag())
    trial.run("plain")
    cell = trial.run(case)
    return cell.mark, cell.why


def given(**beside: Any) -> dict[str, Any]:
    return {"images": [], "seed": None, "negative_prompt": ""} | beside


@pytest.mark.parametrize(
    ("images", "mark"),
    [
        ([ASSET, ASSET, OTHER], OK),  # a mask is sent as its vendor wants it
        ([], WRONG),
        ([ASSET, ASSET], WRONG),
        ([ASSET, OTHER, OTHER], WRONG),
        ([ASSET, ASSET, OTHER, OTHER], WRONG),
    ],
)
def test_input_images_are_those_that_the_vendor_was_given(images: list[str], mark: str) -> None:
    world = World(given(images=images))
    assert tried(world, "reference")[0] == mark
    if images:  # what was sent is named by its hash then, and has to arrive as that
        assert world.named == [[images[0]] * 3]


@pytest.mark.parametrize("case", ["reference", "seed", "negative"])
def test_what_no_charge_tells_of_is_not_proven(case: str) -> None:
    assert tried(World(None), case)[0] == WRONG


@pytest.mark.parametrize(
    ("case", "name", "right", "others"),
    [("seed", "seed", 20_261, (None, 1)), ("negative", "negative_prompt", "people", ("", "x"))],
)
def test_our_own_echo_of_a_word_proves_nothing(
    case: str, name: str, right: object, others: tuple[object, ...]
) -> None:
    assert tried(World(given(**{name: right})), case) == (OK, "")
    for other in others:
        mark, why = tried(World(given(**{name: other})), case)
        assert (mark, why) == (WRONG, f"its vendor was given [{other!r}], not {right!r}")


@pytest.mark.parametrize(("case", "name"), [("seed", "seed"), ("negative", "negative_prompt")])
def test_what_is_drawn_here_has_to_go_with_the_words(case: str, name: str) -> None:
    """Nobody charges for it, so that its pictures tell."""
    assert tried(World(None, ("seed", "negative_prompt")), case, "sketch") == (OK, "")
    deaf = World(None, tuple({"seed", "negative_prompt"} - {name}))
    assert tried(deaf, case, "sketch")[0] == WRONG
