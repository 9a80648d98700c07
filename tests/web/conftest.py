"""A real browser on a real stack: Debian's Chromium, by Playwright's own driver."""

import os
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright, expect

CHROMIUM = Path("/usr/bin/chromium")
_PATIENCE = 60_000  # milliseconds
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser():
    if not CHROMIUM.exists():
        why = f"{CHROMIUM} is missing: `apt-get install chromium` brings it"
        assert os.environ.get("CI") != "true", why
        pytest.skip(why)
    expect.set_options(timeout=_PATIENCE)
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield made
        await made.close()


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(browser, stack):
    """Open the studio in a window of its own; what the browser complains of fails the test."""
    windows, complaints = [], []

    async def open_(**window):
        context = await browser.new_context(**window)
        context.set_default_timeout(_PATIENCE)
        windows.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text)
                if said.type == "error" and "Failed to load resource" not in said.text
                else None
            ),
        )
        await page.goto(stack.url)
        await page.wait_for_selector("#models input", state="attached")
        return page

    yield open_
    for context in windows:
        await context.close()
    assert not complaints
