"""The page at `/`: what runs here, a conversation to try, and what its last run did."""

from typing import Any

import httpx
from playwright.async_api import Browser, expect

from graph.demo import DemoModel, Script
from graph.demo.script import Say
from tests.servers import Live, live
from tests.ui.accessibility import findings
from tests.ui.conftest import Served
from tests.ui.windows import Window, window

PHONE: dict[str, Any] = {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark", "has_touch": True}
WIDE: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}, "locale": "en-US"}
OPEN = {"/", "/info", "/readyz"}


async def rows(home: Window, kind: str) -> list[str]:
    """The names of a kind of what happened in the last run."""
    return await home.page.locator(f".bars .{kind} .name").all_inner_texts()


async def employ(demo: Served, subject: str, name: str) -> None:
    """Makes an assistant of somebody's own: the pages go on with those of graphs."""
    async with httpx.AsyncClient(base_url=demo.url) as http:
        token = (await http.post("/dev/token", json={"subject": subject})).json()["token"]
        asked = {"graph_id": "reconcile", "name": name}
        made = await http.post("/assistants", json=asked, headers={"Authorization": f"Bearer {token}"})
        assert made.status_code == 200, made.text


async def test_a_visitor_talks_as_a_customer_and_sees_what_the_run_did(
    browser: Browser, demo: Served, model: DemoModel
) -> None:
    await employ(demo, "alice", "whisperer")
    async with window(browser, f"{demo.url}/#alice", **WIDE) as home:
        facts = home.page.locator(".runs")
        for fact in ("support", "Valkey", "gpt-4.1-mini", "LangGraph Server"):
            await expect(facts).to_contain_text(fact)
        await expect(facts).not_to_contain_text("whisperer")
        await expect(home.page.locator(".state.ready")).to_have_text("Ready")
        await expect(home.page.get_by_role("radio", name="Alice Morgan")).to_be_checked()
        await expect(home.page.locator(".nothing")).to_be_visible()
        assert await findings(home) == []
        await home.shoot("20-home")

        await home.page.locator(".orders button", has_text="A-40303").click()
        await home.sees("Shall I arrange the refund?")
        await expect(home.page.locator(".status.success")).to_have_text("done")
        assert await rows(home, "tool") == ["query_order"]
        assert await rows(home, "node") == ["enter", "model", "tools", "model", "settle"]
        await home.say("Yes, please refund it")
        await home.card.wait_for()
        await expect(home.page.locator(".status.waiting")).to_have_text("waits for a person")
        assert await rows(home, "interrupt") == ["Refund for order A-40303"]
        assert await findings(home) == []
        await home.shoot("21-home-waits", whole=True)
        await home.page.reload()
        await home.card.wait_for()
        await expect(home.page.locator(".status.waiting")).to_be_visible()

        thread_id = await home.thread_id()
        async with httpx.AsyncClient(base_url=demo.url) as http:
            for subject, status in (("alice", 200), ("bob", 404)):
                token = (await http.post("/dev/token", json={"subject": subject})).json()["token"]
                headers = {"Authorization": f"Bearer {token}"}
                response = await http.get(f"/threads/{thread_id}", headers=headers)
                assert response.status_code == status, subject


async def test_a_run_is_drawn_while_it_runs(browser: Browser, demo: Served, model: DemoModel) -> None:
    model.play(Script(steps=(Say(text="one two three four five six"),), hold_after=3))
    async with window(browser, f"{demo.url}/#wang") as home:
        await home.page.locator(".orders button").first.click()
        await expect(home.page.locator(".status.active")).to_have_text("运行中")
        await expect(home.page.locator(".bars .message .name")).to_have_text(["model"])
        model.release()
        await expect(home.page.locator(".status.success")).to_have_text("完成")


async def test_customers_have_conversations_of_their_own(
    browser: Browser, demo: Served, model: DemoModel
) -> None:
    model.play(Script(steps=(Say(text="好的"), Say(text="在的"))))
    async with window(browser, f"{demo.url}/#lin", **PHONE) as home:
        assert await home.overflow() == 0
        assert await findings(home) == []
        await home.shoot("22-home-phone", whole=True)
        await home.say("你好")
        await home.sees("好的")
        await home.page.get_by_text("王芳").click()
        await expect(home.page.locator(".orders button").first).to_contain_text("30213")
        await home.box.wait_for()
        assert await home.said("human") == []
        await home.say("在吗")
        await home.sees("在的")
        await home.page.get_by_text("林志远").click()
        await home.sees("好的")
        await expect(home.page.locator(".message.human p")).to_have_text(["你好"])


async def test_a_project_without_customers_is_talked_to_as_it_is(browser: Browser, server: Live) -> None:
    async with window(browser, f"{server.url}/", **WIDE) as home:
        await home.sees("Write to the first graph.")
        await expect(home.page.locator(".runs .graph").first).to_have_text("echo")
        await expect(home.page.locator(".orders")).to_have_count(0)
        await home.say("hello")
        await expect(home.page.locator(".status.success")).to_have_text("done")
        assert await rows(home, "node") == ["reply"]


async def test_a_server_that_knows_its_callers_tells_a_stranger_what_info_tells(
    browser: Browser, redis_url: str
) -> None:
    asked = set()
    async with (
        live(redis_url, worker=False, auth="keys") as closed,
        window(browser, f"{closed.url}/", ready=".closed", **WIDE) as home,
        closed.http() as http,
    ):
        home.page.on("request", lambda request: asked.add(request.url.removeprefix(closed.url)))
        await home.page.reload()
        await home.sees("This server asks for a sign-in.")
        await expect(home.page.locator(".state.ready")).to_be_visible()
        await expect(home.page.locator("holdfast-chat")).to_have_count(0)
        assert {path for path in asked if not path.startswith("/ui/")} == OPEN
        info = (await http.get("/info")).json()
        assert info["sign_in"] == "token"
        assert not {"redis", "routes"} & info.keys()
        facts = await home.page.locator(".runs dd").all_inner_texts()
        told = (info["host"]["version"], info["langgraph_py_version"], f"LangGraph Server {info['version']}")
        assert tuple(facts) == told
        assert await findings(home) == []
        await home.shoot("23-home-closed", whole=True)


async def test_the_links_of_the_page_lead_somewhere(browser: Browser, demo: Served) -> None:
    async with window(browser, f"{demo.url}/?theme=dark", **WIDE) as home, httpx.AsyncClient() as http:
        await home.page.locator(".runs .graph").first.wait_for()
        links = await home.page.locator("a").evaluate_all("all => all.map(one => one.href)")
        assert len(set(links)) > 4
        for link in set(links):
            response = await http.get(link, headers={"Accept": "text/html"}, follow_redirects=True)
            assert response.status_code == 200, link
