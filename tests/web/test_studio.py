"""The studio page in a real browser: from a prompt to pictures, over reloads and restarts."""

import base64
import json

import pytest
from playwright.async_api import expect

from tests import patient
from tests.system.stack import running_stack

DOT = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"  # a GIF of one pixel
pytestmark = pytest.mark.asyncio(loop_scope="module")

DONE = '.job[data-job="{}"] .state:has-text("Done")'
WIDTHS = "() => [...document.querySelectorAll('.job img')].map((one) => one.naturalWidth)"


def start(stack, seconds: float, prompt: str = "a windmill", **more) -> str:
    """Start a job that takes its time; return its id."""
    body = {"prompt": prompt, "parameters": {"sketch": {"seconds": seconds}}, **more}
    answer = patient.post(f"{stack.url}/images/generate", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()["job_id"]


async def ask(page, prompt: str) -> None:
    await page.fill("#prompt", prompt)
    await page.locator("#prompt").press("Control+Enter")


async def test_a_prompt_becomes_pictures_that_can_be_seen(open_page):
    page = await open_page(viewport={"width": 1280, "height": 900})
    await page.check("#models input[value=sketch-ink]", force=True)
    assert await page.inner_text("#go") == "Generate 2 pictures"

    await ask(page, "a lighthouse at dawn")

    await page.wait_for_selector('.job .state:has-text("Done")')
    await page.wait_for_selector(".job .waits", state="detached")
    widths = await page.evaluate(WIDTHS)
    assert len(widths) == 2
    assert all(widths)
    assert "2 pictures" in await page.inner_text("#said")
    await page.wait_for_selector('#gallery figcaption:has-text("a lighthouse at dawn")')


async def test_an_idea_becomes_prompts_and_a_click_takes_one(open_page):
    page = await open_page()
    await page.click("#suggest")
    await page.wait_for_selector('#wrong:has-text("Write an idea first")')

    await page.fill("#prompt", "a windmill")
    await page.click("#suggest")

    await page.wait_for_selector("#ideas button:nth-of-type(4)")
    await page.wait_for_selector(
        '#said:has-text("4 suggestions by built-in, free")', state="attached"
    )
    assert await page.locator("#wrong").is_hidden()
    first = page.locator("#ideas button").first
    wanted = await first.get_attribute("title")
    await first.click()
    assert await page.input_value("#prompt") == wanted


async def test_a_job_is_there_again_after_a_reload_and_goes_on(open_page, stack):
    page = await open_page()
    job = start(stack, 8, count=2)
    await page.reload()
    await page.wait_for_selector(f'.job[data-job="{job}"] progress')
    await page.wait_for_selector(DONE.format(job))
    assert await page.locator(f'.job[data-job="{job}"] img').count() == 2


async def test_a_page_goes_on_by_itself_when_the_gateway_dies(open_page, stack):
    page = await open_page()
    job = start(stack, 8, count=2)
    await page.reload()
    await page.wait_for_selector(f'.job[data-job="{job}"] progress')

    stack.kill_and_await("gateway")

    await page.wait_for_selector(DONE.format(job))
    assert await page.locator(f'.job[data-job="{job}"] .card').count() == 2
    assert await page.locator(f'.job[data-job="{job}"] img').count() == 2


FOLLOW = """(path) => {
    const source = new EventSource(path + "?after=0"), heard = [];
    const hear = (event) => {
        if (event.lastEventId) heard.push([Number(event.lastEventId), event.type]);
        if (event.type === "completed") source.close();
    };
    const kinds = ["accepted", "queued", "purchased", "image_kept", "image_published"];
    for (const kind of [...kinds, "completed"]) source.addEventListener(kind, hear);
    Object.assign(window, { source, heard });
}"""


async def test_a_browsers_own_event_source_goes_on_when_the_gateway_dies(open_page, stack):
    page = await open_page()
    job = start(stack, 8)
    await page.evaluate(FOLLOW, f"/images/jobs/{job}/events")
    await page.wait_for_function("() => heard.length > 0")

    stack.kill_and_await("gateway")

    await page.wait_for_function("() => source.readyState === EventSource.CLOSED")
    numbers, kinds = zip(*await page.evaluate("() => heard"), strict=True)
    assert numbers == tuple(range(1, len(numbers) + 1))
    assert kinds[-1] == "completed"


async def test_an_unfinished_picture_is_shown_while_it_is_drawn(open_page, stack):
    page = await open_page()
    job = start(stack, 8)
    data = {"purchase_id": "p", "model": "sketch", "media_type": "image/gif", "content": DOT}
    told = f"id: 1\nevent: preview\ndata: {json.dumps(data)}\n\n"
    headers = {"content-type": "text/event-stream"}
    await page.route(
        f"**/jobs/{job}/events*", lambda route: route.fulfill(body=told, headers=headers)
    )
    await page.reload()
    shown = page.locator(f'.job[data-job="{job}"] .frame:not(.waits) img[alt="Unfinished"]')
    await shown.wait_for()
    assert await shown.evaluate("(one) => one.decode().then(() => one.naturalWidth)") == 1


async def test_a_cancel_stops_and_says_so(open_page, stack):
    job = start(stack, 60)
    page = await open_page()
    await page.click(f'.job[data-job="{job}"] button:has-text("Cancel")')
    await page.wait_for_selector(f'.job[data-job="{job}"] .state:has-text("Stopped")')
    assert not await page.locator(f'.job[data-job="{job}"] progress').count()


async def test_what_is_refused_is_told_in_words_and_the_prompt_stays(open_page):
    page = await open_page()
    await page.evaluate('document.getElementById("prompt").value = "a\\ud800"')
    await page.click("#go")
    await page.wait_for_selector("#wrong:not([hidden])")
    assert "surrogate" in await page.inner_text("#wrong")
    assert await page.input_value("#prompt")
    assert not await page.is_disabled("#go")


async def test_a_favourite_stays_and_a_picture_opens_and_closes_by_the_keyboard(open_page, stack):
    page = await open_page()
    await ask(page, "a hot air balloon")
    balloon = page.locator('#gallery .card:has-text("hot air balloon")')  # others may end meanwhile
    await balloon.locator(".heart").click()
    await expect(balloon.locator(".heart")).to_have_attribute("aria-pressed", "true")
    await page.reload()
    await balloon.wait_for()  # or the first page of all, that comes later, takes the focus away
    await page.check("#favorites", force=True)
    await expect(page.locator("#gallery .card")).to_have_count(1)

    await balloon.locator(".frame").focus()
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#viewer[open] img")
    assert "SHA-256" in await page.inner_text("#viewer")
    await page.keyboard.press("Escape")
    assert not await page.locator("#viewer[open]").count()


async def test_a_heart_that_cannot_be_kept_says_so_beside_it(open_page):
    page = await open_page()
    await ask(page, "a red kite")
    kite = page.locator('#gallery .card:has-text("red kite")')
    await kite.wait_for()

    async def full(route):
        said = {"status": 507, "content_type": "application/problem+json"}
        await route.fulfill(**said, body=json.dumps({"detail": "No room is left."}))

    await page.route("**/images/variants/*", full)
    await kite.locator(".heart").click()
    await expect(kite.get_by_role("alert")).to_have_text("No room is left.")
    await expect(kite.locator(".heart")).to_have_attribute("aria-pressed", "false")
    await page.unroute("**/images/variants/*")
    await kite.locator(".heart").click()
    await expect(kite.locator(".heart")).to_have_attribute("aria-pressed", "true")
    await expect(kite.get_by_role("alert")).to_have_count(0)


async def test_a_prompt_of_spaces_and_a_gallery_without_favourites_say_what_to_do(open_page):
    page = await open_page()
    await ask(page, "   ")
    await expect(page.locator("#wrong")).to_have_text("Write what to draw first.")
    await page.route(
        "**/images/variants?*favorites_only*",
        lambda route: route.fulfill(json={"variants": [], "next_page_token": ""}),
    )
    await page.check("#favorites", force=True)
    await expect(page.locator("#empty")).to_contain_text("No favourites yet.")


async def test_the_default_model_is_chosen_and_seen_on_a_telephone(browser):
    with running_stack("--lab", DEFAULT_MODEL="sketch-mosaic") as stack:
        window = await browser.new_context(viewport={"width": 390, "height": 844})
        page = await window.new_page()
        await page.goto(stack.url)
        chosen = page.locator("#models input:checked")
        await expect(chosen).to_have_value("sketch-mosaic")
        assert await chosen.count() == 1
        await expect(page.locator("#models label:has(:checked)")).to_be_in_viewport()
        await expect(page.locator("legend")).to_contain_text("scroll for more")
        await window.close()


async def test_the_vault_shows_what_the_cdn_no_longer_has(open_page, stack):
    start(stack, 0, "an abandoned mill")
    page = await open_page()
    await page.wait_for_selector('#gallery figcaption:has-text("abandoned mill")')
    asked = []

    async def with_links_that_are_dead(route):
        answer = await route.fetch()
        page_of = await answer.json()
        for one in page_of["variants"]:
            one |= {"url": f"{stack.url}/gone", "thumbnail_url": f"{stack.url}/gone"}
        await route.fulfill(response=answer, json=page_of)

    async def nothing(route):
        asked.append(route.request.url)
        await route.fulfill(status=404)

    await page.route("**/images/variants?*", with_links_that_are_dead)
    await page.route("**/gone", nothing)
    await page.reload()
    shown = "() => document.querySelector('#{} img')?.naturalWidth > 0"
    await page.wait_for_function(shown.format("gallery"))
    await page.locator("#gallery .frame").first.click()
    await page.wait_for_function(shown.format("viewer"))
    assert asked
    save = await page.get_attribute("#viewer a[download]", "href")
    assert save.startswith("/i/")

    await page.route("**/i/**", nothing)  # nor has the vault: it is asked once, then let be
    async with page.expect_request("**/i/**"):
        await page.reload()
    for _round in range(5):
        await page.evaluate("fetch('/gone').then((answer) => answer.text())")
    vault = [url for url in asked if "/i/" in url]
    assert len(vault) == len(set(vault)) > 0


async def test_a_drawing_is_shown_itself_and_an_animation_moves_in_the_viewer(open_page, stack):
    """Of a drawing there is no thumbnail, and that of an animation stands still."""
    start(stack, 0, "a paper crane")
    page = await open_page()
    await page.wait_for_selector('#gallery figcaption:has-text("paper crane")')

    links = {"url": f"{stack.url}/whole", "thumbnail_url": f"{stack.url}/small"}

    async def with_other_links(route):
        answer = await route.fetch()
        page_of = await answer.json()
        page_of["variants"] = [one | links for one in page_of["variants"]]
        await route.fulfill(response=answer, json=page_of)

    async def one_pixel(route):
        await route.fulfill(body=base64.b64decode(DOT), content_type="image/gif")

    await page.route("**/images/variants?*", with_other_links)
    await page.route("**/whole", one_pixel)
    await page.route("**/small", one_pixel)
    for media_type, card in (("image/svg+xml", "/whole"), ("image/gif", "/small")):
        links["media_type"] = media_type
        await page.reload()
        await expect(page.locator(f'#gallery img[src$="{card}"]').first).to_be_attached()
        await page.locator("#gallery .frame").first.click()
        await expect(page.locator('#viewer img[src$="/whole"]')).to_be_attached()


async def test_it_fits_a_telephone_in_the_dark_whatever_the_prompt(open_page, stack):
    job = start(stack, 0, "w" * 500)
    page = await open_page(
        viewport={"width": 390, "height": 844}, color_scheme="dark", reduced_motion="reduce"
    )
    await page.wait_for_selector('#gallery figcaption:has-text("wwww")')
    await page.locator("#gallery .frame").first.click()
    await page.wait_for_selector("#viewer[open] img")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.keyboard.press("Escape")
    await expect(page.locator("#go")).to_be_in_viewport()  # however many models there are
    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(13, 16, 25)"
    assert job


async def test_a_key_that_is_none_or_not_known_is_told_and_asked_for_again(open_page, stack):
    page = await open_page()

    async def door(route):
        known = route.request.headers.get("authorization") == "Bearer isk_known"
        await (route.continue_() if known else route.fulfill(status=401, json={}))

    await page.route("**/images/**", door)
    await page.reload()
    key, refused = page.get_by_label("API key"), page.locator("#refused")
    await expect(key).to_be_visible()
    await expect(refused).to_be_hidden()
    await key.fill("isk_…")  # as a shortened one is pasted
    await page.keyboard.press("Enter")
    await expect(page.locator("#key:invalid")).to_be_visible()
    await key.fill(" isk_other ")
    await page.keyboard.press("Enter")
    await expect(refused).to_be_visible()
    await key.fill("isk_known")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#models input", state="attached")
    await expect(key).to_be_hidden()


async def test_a_search_that_finds_nothing_says_so(open_page):
    page = await open_page()
    await page.get_by_label("Search prompts").fill("zzz nothing is called that")
    await expect(page.locator("#empty")).to_contain_text("No picture is like that.")
    assert await page.locator("#ideas").bounding_box() is None


async def test_everything_that_takes_input_has_a_name(open_page):
    page = await open_page()
    nameless = await page.evaluate(
        """() => [...document.querySelectorAll("input, select, textarea, button, progress, img")]
          .filter((one) => !(one.labels?.length || one.getAttribute("aria-label")
                             || one.textContent.trim() || one.getAttribute("alt") !== null))
          .map((one) => one.outerHTML)"""
    )
    assert nameless == []


async def test_the_interface_is_explained_without_another_host(open_page, stack):
    page = await open_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{stack.url}/docs")
    await page.wait_for_selector('summary:has-text("/images/generate/stream")')
    await page.click('summary:has-text("/images/generate/stream")')
    assert "negative_prompt" in await page.inner_text("details[open]")
    assert "`" not in await page.inner_text("body")
    assert asked
    assert all(url.startswith(stack.url) for url in asked)
