"""The studio page beyond a prompt: bad networks, what else an order takes, and unclear money."""

import asyncio
import io
import json

import pytest
from PIL import Image
from playwright.async_api import expect

from tests import patient
from tests.lab.process import Lab
from tests.system.client import generate
from tests.system.stack import running_stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

GALLERY = "**/images/variants?*"


async def test_a_page_whose_first_call_failed_is_there_once_the_studio_is(open_page):
    page = await open_page()
    answers, seen = iter([503]), asyncio.Event()

    async def once(route):
        if status := next(answers, None):
            return await route.fulfill(status=status, json={})
        await seen.wait()
        return await route.continue_()

    await page.route("**/images/models", once)
    await page.reload()
    await expect(page.locator("#wrong")).to_contain_text("It is asked again by itself.")
    seen.set()
    await page.wait_for_selector("#models input", state="attached")
    await expect(page.locator("#wrong")).to_be_hidden()


async def test_the_model_of_the_first_choice_is_the_one_that_draws_though_its_name_comes_late(
    open_page,
):
    page = await open_page()
    answers = iter([503])

    async def late(route):
        if status := next(answers, None):
            return await route.fulfill(status=status, json={})
        return await route.fulfill(json={"models": [{"model": "sketch-ink"}], "expected_usd": 0})

    await page.route("**/images/estimate", late)
    await page.reload()
    await expect(page.locator("#models input:checked")).to_have_value("sketch-ink")


async def test_a_search_that_nobody_answers_says_so_and_shows_nothing_older(open_page, stack):
    generate(stack.url, {"prompt": "a stone bridge"})
    page = await open_page()
    await page.wait_for_selector("#gallery .card")
    await page.route(GALLERY, lambda route: route.abort())
    await page.get_by_label("Search prompts").fill("bridge")
    await expect(page.locator("#empty")).to_have_text("The studio does not answer. Is it running?")
    await expect(page.locator("#gallery .card")).to_have_count(0)


async def test_a_link_can_be_copied_where_a_page_has_no_clipboard(open_page, stack):
    """As on plain http under any name but localhost."""
    generate(stack.url, {"prompt": "a paper lantern"})
    page = await open_page()
    await page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    await page.locator('#gallery .card:has-text("paper lantern") .frame').first.click()
    await page.click('#viewer button:has-text("Copy link")')
    link = page.get_by_label("Link, to be copied")
    await expect(link).to_have_value(patient.get(link_of(stack)).json()["url"])
    assert await page.evaluate("getSelection().toString()") == await link.input_value()


def link_of(stack) -> str:
    found = patient.get(f"{stack.url}/images/variants", params={"q": "lantern"}).json()
    return f"{stack.url}/images/variants/{found['variants'][0]['variant_id']}"


async def test_only_shapes_that_all_chosen_models_draw_are_offered(open_page):
    page = await open_page()

    async def one_of_them_square(route):
        answer = await route.fetch()
        told = await answer.json()
        [ink] = [model for model in told["models"] if model["key"] == "sketch-ink"]
        ink["capabilities"]["aspect_ratios"] = ["1:1", "9:9"]
        await route.fulfill(response=answer, json=told)

    await page.route("**/images/models", one_of_them_square)
    await page.reload()
    shapes = page.locator("#aspect option")
    await expect(shapes.filter(has_text="16:9")).to_have_count(1)
    await page.select_option("#aspect", "16:9")
    await page.check("#models input[value=sketch-ink]", force=True)
    await expect(shapes).to_have_text(["Model’s own", "1:1"])
    assert await page.input_value("#aspect") == ""


async def test_an_order_on_its_way_is_not_made_once_more(open_page):
    page = await open_page()
    out, orders = asyncio.Event(), []

    async def held(route):
        orders.append(route)
        await out.wait()
        await route.continue_()

    await page.route("**/images/generate", held)
    await page.fill("#prompt", "a single swan")
    for _press in range(3):
        await page.locator("#prompt").press("Control+Enter")
    out.set()
    await page.wait_for_selector('.job .state:has-text("Done")')
    assert len(orders) == 1


async def test_what_else_an_order_takes_is_sent_and_what_is_left_alone_is_not(open_page):
    page = await open_page()
    await page.fill("#prompt", "a fishing boat")
    async with page.expect_request("**/images/generate") as plain:
        await page.click("#go")
    sent = (await plain.value).post_data_json
    assert sent == {"prompt": "a fishing boat", "count": 1, "models": ["sketch"]}

    await page.click("#extra summary")
    await page.fill("#negative", "nets")
    await page.fill("#seed", "7")
    await page.check("#smart", force=True)
    async with page.expect_request("**/images/generate") as more:
        await page.click("#go")
    assert (await more.value).post_data_json == sent | {
        "negative_prompt": "nets",
        "seed": 7,
        "smart_prompt": True,
    }


async def test_nothing_is_ordered_while_an_input_image_is_on_its_way(open_page):
    page = await open_page()
    ordered, arrive = [], asyncio.Event()

    async def held(route):
        await arrive.wait()
        await route.continue_()

    await page.route("**/images/references", held)
    page.on("request", lambda one: ordered.append(one) if "/generate" in one.url else None)
    await page.fill("#prompt", "the same boat in red")
    await page.click("#extra summary")
    files = {"name": "boat.png", "mimeType": "image/png", "buffer": png()}
    await page.set_input_files("#files", files)
    await expect(page.locator("#go")).to_be_disabled()
    await page.press("#prompt", "Control+Enter")
    await expect(page.locator("#wrong")).to_contain_text("still on its way")
    assert not ordered
    arrive.set()
    await expect(page.locator(".input")).to_have_count(1)
    await expect(page.locator("#go")).to_be_enabled()
    await expect(page.locator("#wrong")).to_be_hidden()


async def test_what_is_wrong_in_a_closed_box_opens_it_and_enter_in_it_orders_nothing(open_page):
    page = await open_page()
    ordered = []
    page.on("request", lambda one: ordered.append(one) if "/generate" in one.url else None)
    await page.fill("#prompt", "a weathervane")
    await page.click("#extra summary")
    await page.press("#negative", "Enter")
    await page.fill("#seed", "7")
    await page.press("#seed", "Enter")
    await page.fill("#seed", "1.5")
    await page.click("#extra summary")
    await expect(page.locator("#seed")).to_be_hidden()
    await page.click("#go")
    await expect(page.locator("#seed")).to_be_visible()
    assert not ordered


async def test_more_options_fit_a_narrow_phone(open_page):
    page = await open_page(viewport={"width": 360, "height": 740})
    await page.click("#extra summary")
    wide = "document.documentElement.scrollWidth"
    assert await page.evaluate(wide) == 360


async def test_a_preset_says_whether_the_prompt_is_written_out_and_the_box_overrules_it(open_page):
    page = await open_page()
    preset = {"preset_key": "mine", "name": "Mine", "batch_count": 1, "model_key": ""}
    told = {"presets": [preset | {"smart_prompt_enabled": True}], "next_page_token": ""}
    await page.route("**/images/presets?*", lambda route: route.fulfill(json=told))
    await page.reload()
    await expect(page.locator("#preset option")).to_have_count(2)
    await page.click("#extra summary")
    await page.select_option("#preset", "mine")
    await expect(page.locator("#smart")).to_be_checked()
    async with page.expect_request("**/images/estimate") as asked:
        await page.uncheck("#smart", force=True)
    assert (await asked.value).post_data_json["smart_prompt"] is False
    async with page.expect_request("**/images/estimate") as asked:
        await page.check("#smart", force=True)
    assert "smart_prompt" not in (await asked.value).post_data_json  # the preset's own word
    await page.select_option("#preset", "")
    await expect(page.locator("#smart")).not_to_be_checked()


async def test_a_preset_chooses_its_model(open_page):
    page = await open_page()
    presets = patient.get(f"{page.url}images/presets").json()["presets"]
    await expect(page.locator("#preset option")).to_have_count(len(presets) + 1)
    await page.click("#extra summary")
    wanted = next(one for one in presets if one["model_key"] == "sketch-ink")
    await page.select_option("#preset", wanted["preset_key"])
    await expect(page.locator("#models input:checked")).to_have_value("sketch-ink")


async def test_a_picture_is_rated_and_deleted_and_brought_back(open_page, stack):
    generate(stack.url, {"prompt": "a copper kettle"})
    page = await open_page()
    kettle = page.locator('#gallery .card:has-text("copper kettle")')
    await kettle.locator(".frame").click()
    async with page.expect_response("**/images/variants/*") as rated:
        await page.get_by_label("Rating").select_option("4")
    assert (await (await rated.value).json())["user_rating"] == 4
    await page.click('#viewer button:has-text("Delete")')
    await expect(kettle).to_be_hidden()
    await page.click('#viewer button:has-text("Restore")')
    await expect(kettle).to_be_visible()


async def test_an_upload_that_nobody_answers_keeps_no_order_waiting(open_page):
    page = await open_page()
    await page.clock.install()
    came, over = asyncio.Event(), asyncio.Event()

    async def unanswered(route):
        came.set()
        await over.wait()
        await route.abort()

    await page.route("**/images/references", unanswered)
    await page.click("#extra summary")
    files = {"name": "tin.png", "mimeType": "image/png", "buffer": png()}
    await page.set_input_files("#files", files)
    await asyncio.wait_for(came.wait(), 60)
    await expect(page.locator("#go")).to_be_disabled()
    await page.clock.fast_forward(120_000)
    await expect(page.locator("#wrong")).to_contain_text("tin.png: The studio does not answer")
    await expect(page.locator("#go")).to_be_enabled()
    over.set()


async def test_a_job_that_is_opened_again_asks_of_no_charge_that_was_answered(open_page):
    page = await open_page()
    job = {"job_id": "7", "prompt": "a tin robot", "state": "failed", "aspect": "1:1"}
    lost = [
        {"purchase_id": each, "model": "sketch", "reason": "R", "charged": None} for each in "ab"
    ]
    end = job | {"images": [], "failures": lost, "cost_usd": 0.08, "at_risk_usd": 0.08}
    answered = end | {"failures": [lost[0] | {"charged": False}, lost[1]], "at_risk_usd": 0.04}
    events = f"id: 1\nevent: completed\ndata: {json.dumps(end)}\n\n"
    stream = {"content_type": "text/event-stream", "body": events}
    await page.route("**/images/jobs/7", lambda route: route.fulfill(json=answered))
    await page.route("**/images/jobs/7/events", lambda route: route.fulfill(**stream))
    await page.route("**/images/jobs?states*", lambda route: route.fulfill(json={"jobs": [job]}))
    await page.reload()
    shown = page.locator("[data-job='7']")
    await expect(shown.locator(".state").first).to_contain_text("$0.04 was charged")
    await expect(shown.locator(".acts")).to_have_count(1)
    await expect(shown.locator(".card").first).to_contain_text("Not charged.")


async def test_input_images_are_kept_and_what_is_unclear_is_settled_or_ordered_again(browser):
    with running_stack("--lab", LAB_PACE="0") as stack:
        lab = Lab(f"http://127.0.0.1:{stack.port('LAB_PORT')}", None)
        lost = {"vendor": "openai", "where": "create", "kind": "drop_after"}
        order = {"prompt": "a tin robot", "models": ["gpt-image-2"]}
        lab.faults([lost | {"times": 2}])
        for _each in range(2):
            generate(stack.url, order)
        window = await browser.new_context()
        page = await window.new_page()
        await page.goto(stack.url)

        await page.click("#spent button")
        await expect(page.locator(".acts")).to_have_count(2)
        async with page.expect_response("**/images/jobs?at_risk*"):
            await page.click("#spent button")
        await expect(page.locator(".job")).to_have_count(2)  # each but once
        asked = answering(page, [False, True, True])
        arrive = asyncio.Event()

        async def held(route):
            await arrive.wait()
            await route.continue_()

        await page.route("**/settle", held)
        unclear = page.locator('.acts button:has-text("It was not")').first
        await unclear.click()  # and taken back
        await expect(unclear).to_be_enabled()
        await unclear.click()
        await expect(page.locator(".acts button:disabled")).to_have_count(3)
        arrive.set()
        await expect(page.locator(".acts")).to_have_count(1)  # the other's
        await page.click('.acts button:has-text("Order again")')
        assert "paid for twice" in asked[-1]
        await page.wait_for_selector('.job .state:has-text("Done ·")')
        assert len(lab.ledger()) == 3
        usage = patient.get(f"{stack.url}/images/usage").json()
        assert usage["at_risk_count"] == 1  # ordering again settles nothing

        await page.click("#extra summary")
        await page.check("#models input[value='gpt-image-2']", force=True)
        await page.uncheck("#models input[value=sketch]", force=True)
        files = {"name": "tin.png", "mimeType": "image/png", "buffer": png()}
        await page.set_input_files("#files", files)
        await page.get_by_label("What tin.png is for").select_option("edit_base")
        await page.fill("#prompt", "the same robot in red")
        async with page.expect_response("**/images/generate") as started:
            await page.click("#go")
        answer = await started.value
        assert answer.status == 202, await answer.text()
        [reference] = answer.request.post_data_json["references"]
        assert reference["role"] == "edit_base"
        await page.click('button[aria-label="Without tin.png"]')
        await expect(page.locator(".input")).to_have_count(0)
        await window.close()


def answering(page, answers: list[bool]) -> list[str]:
    """Answer the page's questions so, in turn; the list that is returned grows by their words."""
    asked, left = [], iter(answers)

    async def answer(dialog):
        asked.append(dialog.message)
        await (dialog.accept() if next(left) else dialog.dismiss())

    page.on("dialog", answer)
    return asked


def png() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (640, 640), "teal").save(written, "PNG")
    return written.getvalue()
