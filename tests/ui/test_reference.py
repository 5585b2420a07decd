"""The reference at `/ui/reference`, drawn from the server's own /openapi.json."""

import json
import shlex
from typing import Any

import jsonschema
from playwright.async_api import Browser, expect

from tests.servers import Live, live
from tests.ui.accessibility import findings
from tests.ui.windows import window

READY = ".routes .route, .sign-in"
STREAM = "stream_run_threads__thread_id__runs_stream_post"
EXAMPLES = """async () => {
  const all = [...document.querySelectorAll(".route")];
  const built = all.filter((one) => one.querySelector(".inside").hasChildNodes()).length;
  for (const one of all) one.open = true;
  await new Promise((resolve) => setTimeout(resolve));
  const text = (one) => one.querySelector(".example pre").textContent;
  return [built, Object.fromEntries(all.map((one) => [one.id, text(one)]))];
}"""


def operations(spec: dict[str, Any]) -> dict[str, Any]:
    return {one["operationId"]: one for path in spec["paths"].values() for one in path.values()}


async def test_every_route_is_there_with_an_example_that_fits(browser: Browser, server: Live) -> None:
    async with server.http() as http:
        spec = (await http.get("/openapi.json")).json()
    async with window(browser, f"{server.url}/ui/reference", ready=READY, locale="en-US") as page:
        built, examples = await page.page.evaluate(EXAMPLES)
    assert built == 0  # what is not opened costs nothing
    told = operations(spec)
    assert examples.keys() == told.keys()
    for name, example in examples.items():
        words = shlex.split(example)
        assert words[0] == "curl"
        schema = (
            told[name].get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        )
        if schema:
            body = json.loads(words[words.index("-d") + 1])
            jsonschema.validate(body, {**schema, "components": spec["components"]})
    assert "-sN" in examples[STREAM]


async def test_a_route_is_found_by_word_and_by_address(browser: Browser, server: Live) -> None:
    async with window(
        browser, f"{server.url}/ui/reference#{STREAM}", ready=READY, locale="en-US", color_scheme="dark"
    ) as page:
        route = page.page.locator(f"#{STREAM}")
        await expect(route.locator("summary").first).to_be_in_viewport()
        await expect(route.get_by_text("Runs, and streams what happens as SSE.").last).to_be_visible()
        await expect(route.get_by_text("goto", exact=True)).to_have_count(0)
        await route.locator("summary.row", has_text="command").click()
        await expect(route.get_by_text("goto", exact=True)).to_be_visible()
        assert await findings(page) == []
        await page.shoot("24-reference")
        await page.page.get_by_role("searchbox").fill("delete cron_id")
        await expect(page.page.locator(".count")).to_have_text("1 routes")
        await expect(page.page.locator(".route:visible")).to_have_count(1)
        await page.page.get_by_role("searchbox").fill("nothing of the kind")
        await expect(page.page.locator(".count")).to_have_text("No route fits.")
        await page.page.evaluate("location.hash = 'info_info_get'")
        await expect(page.page.locator("#info_info_get[open]")).to_be_visible()


async def test_a_phone_has_room_for_it(browser: Browser, server: Live) -> None:
    phone: dict[str, Any] = {"viewport": {"width": 320, "height": 640}, "has_touch": True}
    async with window(browser, f"{server.url}/ui/reference#{STREAM}", ready=READY, **phone) as page:
        await expect(page.page.locator(f"#{STREAM} .fields").first).to_be_visible()
        assert await page.overflow() == 0
        await page.shoot("25-reference-phone")
        assert await findings(page) == []


async def test_who_is_not_known_is_asked_for_a_token_first(browser: Browser, redis_url: str) -> None:
    async with live(redis_url, worker=False, auth="keys") as closed:
        key, _ = await closed.sign_in.keys.create(subject="ann", tenant="north")
        url = f"{closed.url}/ui/reference"
        async with window(browser, url, ready=READY, bears="401", locale="en-US") as page:
            await expect(page.page.locator(".route")).to_have_count(0)
            assert page.errors == []  # nothing was tried without a token
            await page.shoot("26-reference-closed")
            assert await findings(page) == []
            await page.page.get_by_label("Token").fill("nonsense")
            await page.button("Sign in").click()
            await page.sees("The server does not know this caller.")
            await page.page.get_by_label("Token").fill(key)
            await page.button("Sign in").click()
            await page.page.locator(".route").first.wait_for()
            await page.page.reload()
            await page.page.locator(".route").first.click()
            await expect(page.page.locator(".example pre").first).to_contain_text("Bearer $TOKEN")
            assert await page.page.evaluate("localStorage.length") == 0
