"""The desk with requests of a project that it knows nothing of."""

from typing import Any

import pytest
from playwright.async_api import Browser, Route, expect

from tests.api.approving import APPROVE, ask, ask_one, decide, edit, later, shown
from tests.servers import Live, live
from tests.ui.accessibility import findings
from tests.ui.desks import desk
from tests.ui.windows import window

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
WIDER = """(most) => [...document.querySelectorAll("main *")]
  .filter((one) => one.getBoundingClientRect().right > most).map((one) => one.outerHTML)"""
ROLES: dict[str, Any] = {"roles": ["operator"], "exclude_requester": True}


async def test_a_request_of_a_foreign_graph_is_shown_with_all_that_is_known(
    browser: Browser, server: Live
) -> None:
    async with server.http("ann") as ann:
        policy = {**ROLES, "reason": "more than two", "expires_at": later(minutes=40)}
        approval_id = await ask_one(ann, **policy)
        async with desk(browser, server.url) as olga:
            await expect(olga.rows).to_have_count(1)
            await expect(olga.page).to_have_title("(1) Holdfast desk")
            await expect(olga.rows.locator("time.soon")).to_be_visible()
            await olga.open(approval_id)
            await expect(olga.detail.locator("h2")).to_have_text("Launch")
            assert await olga.detail.locator(".card .facts").inner_text() == "rockets\n3"
            await expect(olga.detail.locator(".rules")).to_contain_text("more than two")
            await expect(olga.detail.locator(".rules")).to_contain_text("operator (not who asked)")
            await expect(olga.detail.locator(".trail .what")).to_have_text(["ann asked", "olga looked at it"])
            await expect(olga.page.locator(".beside .message.human")).to_contain_text("please")
            await olga.shoot("foreign")
            await olga.button("Approve").click()
            await olga.page.get_by_text("Approve this?").wait_for()
            await olga.button("Approve").click()
            await expect(olga.detail.locator(".verdict")).to_have_text("Approved")
            await olga.detail.get_by_text("Carried out").first.wait_for()
            await expect(olga.rows).to_have_count(0)
            await olga.page.get_by_text("All clear").wait_for()
            await expect(olga.page).to_have_title("Holdfast desk")
            await olga.shoot("decided")


async def test_who_comes_second_is_told_who_was_first_and_when(browser: Browser, server: Live) -> None:
    async with server.http("ann") as ann, server.http("otto", "operator") as otto:
        approval_id = await ask_one(ann, **ROLES)

        async def decide_first(route: Route) -> None:
            assert (await decide(otto, approval_id, APPROVE)).status_code == 200
            await route.continue_()

        async with desk(browser, server.url, bears="409") as olga:
            await olga.page.route("**/decisions", decide_first)
            await olga.open(approval_id)
            await olga.button("Decline").click()
            await olga.page.get_by_label("Why?").fill("too many")
            await olga.button("Decline").click()
            await expect(olga.problem).to_contain_text("otto approved this")
            await expect(olga.problem).to_contain_text("Your answer was not counted.")
            await expect(olga.detail.locator(".verdict")).to_have_text("Approved")
            await olga.shoot("conflict")


async def test_a_yes_counts_for_what_was_shown_only(browser: Browser, server: Live) -> None:
    async with server.http("ann") as ann, server.http("otto", "operator") as otto:
        approval_id = await ask_one(ann, **ROLES, deciders=2)

        async def change_first(route: Route) -> None:
            assert (await decide(otto, approval_id, edit("1"))).status_code == 200
            await route.continue_()

        async with desk(browser, server.url, bears="409") as olga:
            await olga.page.route("**/decisions", change_first, times=1)
            await olga.open(approval_id)
            await olga.press("a", "Enter")
            await expect(olga.problem).to_contain_text("Something has happened to this meanwhile.")
            await expect(olga.detail.locator(".change ins")).to_have_text("1")
        assert [vote["by"] for vote in (await shown(ann, approval_id))["votes"]] == ["otto"]


async def test_what_is_not_certain_or_not_there_is_a_sentence(browser: Browser, server: Live) -> None:
    async def not_on_disk(route: Route) -> None:
        response = await route.fetch()
        assert response.status == 200
        await route.fulfill(response=response, status=202)

    async with server.http("ann") as ann:
        approval_id = await ask_one(ann, **ROLES)
        async with desk(browser, server.url, at=f"#/approvals/{approval_id}-", bears="404") as olga:
            await expect(olga.problem).to_contain_text("There is no such request")
            await olga.page.route("**/decisions", not_on_disk)
            await olga.open(approval_id)
            await expect(olga.problem).to_have_count(0)
            await expect(olga.button("Approve")).to_be_visible()
            await olga.press("a", "Enter")
            await olga.page.get_by_text("Accepted, not yet on disk.").wait_for()
            await expect(olga.detail.locator(".verdict")).to_have_text("Approved")


async def test_two_deciders_agree_to_what_the_first_has_changed(browser: Browser, server: Live) -> None:
    async with server.http("ann") as ann:
        approval_id = await ask_one(ann, **ROLES, deciders=2)
        async with desk(browser, server.url) as olga, desk(browser, server.url, "otto") as otto:
            await olga.open(approval_id)
            await otto.open(approval_id)
            await olga.press("e")
            count = olga.page.get_by_label("count")
            await expect(count).to_be_focused()
            for impossible in ("4", "0"):
                await count.fill(impossible)
                await count.press("Enter")
                await olga.page.get_by_text("This value is not possible here.").wait_for()
            await count.fill("2")
            await count.press("Enter")
            await olga.page.get_by_text("Your vote is counted.").wait_for()
            await expect(otto.detail.locator(".change ins")).to_have_text("2")
            await expect(otto.detail.locator(".cast")).to_contain_text("1/2")
            await expect(otto.row("Launch").locator(".votes")).to_have_text("Votes 1/2")
            await olga.shoot("voted")
            await otto.shoot("changed")
            await otto.press("a")
            await otto.page.get_by_text("Approve with the figures that olga has changed?").wait_for()
            await otto.press("Enter")
            await expect(otto.detail.locator(".verdict")).to_have_text("Approved with changes")
            await expect(olga.detail.locator(".verdict")).to_have_text("Approved with changes")
        decision = (await shown(ann, approval_id))["decision"]
        assert decision["by"] == ["olga", "otto"]
        assert decision["value"]["decisions"][0]["edited_action"]["args"]["count"] == "2"


async def test_a_claim_is_seen_by_others_and_let_go_of_on_leaving(browser: Browser, server: Live) -> None:
    async with server.http("ann") as ann:
        _, ids = await ask(ann, "one", "two", **ROLES)
        async with desk(browser, server.url) as olga, desk(browser, server.url, "otto") as otto:
            await olga.open(ids["one"])
            await otto.open(ids["one"])
            await olga.press("c")
            await olga.page.get_by_text("You have this one.").wait_for()
            await expect(otto.detail.locator(".deciding")).to_contain_text("olga is on it.")
            await expect(otto.detail.locator(".answers")).to_have_count(0)
            await otto.shoot("claimed")
            await olga.page.get_by_label("Claim what I open").check()
            await olga.open(ids["two"])
            await olga.page.get_by_text("You have this one.").wait_for()
            await expect(otto.button("Approve")).to_be_visible()
            await olga.page.close()
            await expect(otto.rows.locator(".claimed")).to_have_count(0)


async def test_the_list_is_filtered_and_stays_what_was_asked_for(browser: Browser, server: Live) -> None:
    async with server.http("ann") as ann, server.http("olga", "operator") as olga:
        mine, other = await ask_one(ann, **ROLES), await ask_one(ann, **ROLES, expires_at=later(hours=9))
        await olga.post(f"/approvals/{mine}/claim")
        async with desk(browser, server.url) as page:
            await expect(page.rows).to_have_count(2)
            assert (await page.rows.first.get_attribute("href") or "").endswith(other), "next due first"
            await page.press("/")
            claimed = page.page.get_by_label("Claimed by")
            await expect(claimed).to_be_focused()
            for wanted, expected in (("me", mine), ("nobody", other)):
                await claimed.select_option(wanted)
                await expect(page.rows).to_have_count(1)
                await expect(page.rows).to_have_attribute("href", f"#/approvals/{expected}")
            await page.shoot("filters")
            await page.page.get_by_label("Graph").select_option("approve")
            third = await ask_one(ann, **ROLES)
            await expect(page.rows).to_have_count(2)
            await olga.post(f"/approvals/{third}/claim")
            await expect(page.rows).to_have_count(1)
            await page.page.get_by_label("Status").select_option("decided")
            await page.page.get_by_text("All clear").wait_for()


async def test_what_comes_does_not_move_what_is_looked_at(browser: Browser, server: Live) -> None:
    async with server.http("ann") as ann:
        names = [f"q{number}" for number in range(24)]
        await ask(ann, *names, **ROLES)
        async with desk(browser, server.url) as olga:
            await expect(olga.rows).to_have_count(24)
            await olga.rows.nth(15).click()
            await olga.rows.nth(15).evaluate("row => row.scrollIntoView({block: 'center'})")
            chosen = olga.page.locator(".rows a[aria-current]")
            before = await chosen.bounding_box()
            await ask_one(ann, **ROLES, expires_at=later(minutes=5))
            await expect(olga.rows).to_have_count(25)
            await expect(olga.rows.first.locator("time.due")).to_be_visible()
            after = await chosen.bounding_box()
            assert before
            assert after
            assert abs(before["y"] - after["y"]) < 2


async def test_a_queue_is_cleared_without_a_mouse(browser: Browser, server: Live) -> None:
    async with server.http("ann") as ann:
        _, ids = await ask(ann, "one", "two", **ROLES)
        async with desk(browser, server.url) as olga:
            await expect(olga.rows).to_have_count(2)
            await olga.press("?")
            await expect(olga.page.locator("dialog")).to_be_visible()
            await olga.shoot("help")
            await olga.press("Escape", "j", "j", "k")
            first = await olga.page.evaluate("document.activeElement.getAttribute('href')")
            await olga.press("Enter")
            await expect(olga.detail).to_be_visible()
            await olga.press("r")
            reason = olga.page.get_by_label("Why?")
            await expect(reason).to_be_focused()
            await reason.press_sequentially("a jar, creaky")  # letters that are keys elsewhere
            await olga.press("Escape", "a", "Escape", "a", "Enter")
            await expect(olga.detail.locator(".verdict")).to_have_text("Approved")
            await olga.press("Escape", "j", "Enter")
            await expect(olga.button("Decline")).to_be_visible()
            await olga.press("r", "Tab", "Enter")
            await expect(olga.detail.locator(".verdict")).to_have_text("Declined")
            await expect(olga.rows).to_have_count(0)
        one, two = [
            (await shown(ann, ids[name]))["decision"]["value"]["decisions"] for name in ("one", "two")
        ]
        approved, declined = (one, two) if first.endswith("-one") else (two, one)
        assert approved == [{"type": "approve"}]
        assert declined[0]["type"] == "reject"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_serious_stands_in_anybodys_way(browser: Browser, server: Live, scheme: str) -> None:
    options: dict[str, Any] = {"color_scheme": scheme, "reduced_motion": "reduce"}
    async with server.http("ann") as ann:
        thread_id, ids = await ask(ann, "one", "two", **ROLES, deciders=2, expires_at=later(minutes=9))
        async with desk(browser, server.url, bears="404", **options) as olga:
            assert await findings(olga.window) == []
            await olga.open(ids["one"])
            await olga.page.locator(".beside .message.human").wait_for()
            for keys in (("/",), ("Escape", "a"), ("Escape", "e"), ("Escape", "r"), ("Escape", "?")):
                await olga.press(*keys)
                assert await findings(olga.window) == [], keys
            await olga.press("Escape", "a", "Enter")
            await olga.page.get_by_text("Your vote is counted.").wait_for()
            assert await findings(olga.window) == []
            await olga.page.goto(f"{server.url}/ui/desk#/conversations/{thread_id}")
            await olga.button("Take over").click()
            await olga.page.get_by_label("Message").wait_for()
            assert await findings(olga.window) == []
            await olga.shoot(f"{scheme}-conversation")
            await olga.page.locator("nav a", has_text="Figures").click()
            await olga.button("Table: Runs a day").click()
            await expect(olga.page.locator(".project")).to_be_hidden()  # a project without figures of its own
            assert await findings(olga.window) == []
            await olga.shoot(f"{scheme}-figures")
            await olga.button("Sign out").click()
            await olga.page.locator(".people button").first.wait_for()
            assert await findings(olga.window) == []


async def test_a_phone_holds_all_of_it(browser: Browser, server: Live) -> None:
    async with server.http("ann") as ann:
        approval_id = await ask_one(ann, **ROLES)
        phone = {**PHONE, "color_scheme": "dark", "locale": "zh-CN"}
        async with desk(browser, server.url, bears="404", **phone) as olga:
            await olga.shoot("phone-list")
            await olga.open(approval_id)
            await expect(olga.rows.first).to_be_hidden()
            await expect(olga.button("同意")).to_be_in_viewport(ratio=1)
            await olga.shoot("phone-request")
            for view in ("对话", "数据", "审批"):
                assert await olga.page.evaluate(WIDER, 390) == []
                assert await olga.window.overflow() == 0
                await olga.page.locator("nav a", has_text=view).click()
            await expect(olga.row("Launch")).to_be_visible()


async def test_a_sign_in_that_ends_is_a_sentence(browser: Browser, server: Live) -> None:
    async with desk(browser, server.url, "chris", "chief", bears="401") as chris:
        await expect(chris.page.locator(".person")).to_contain_text("chief")
        await expect(chris.page.locator("nav a")).to_have_count(2)  # figures are for staff
        assert await chris.page.evaluate("Object.keys(localStorage).length") == 0
        await chris.page.evaluate("sessionStorage.setItem('holdfast-desk', 'nonsense')")
        await chris.page.get_by_label("Status").select_option("all")
        await expect(chris.problem).to_contain_text("Your sign-in is not valid any more.")
        assert await chris.page.evaluate("sessionStorage.length") == 0


async def test_who_is_not_asked_reads_and_does_not_decide(browser: Browser, server: Live) -> None:
    async with server.http("ann") as ann:
        approval_id = await ask_one(ann, roles=["chief"])
        async with desk(browser, server.url) as olga:
            await olga.open(approval_id)
            await olga.page.get_by_text("You can read this; chief decides.").wait_for()
            await expect(olga.button("Approve")).to_have_count(0)
            await expect(olga.button("Claim")).to_have_count(0)


async def test_a_key_signs_in_where_no_tokens_are_made(browser: Browser, redis_url: str) -> None:
    async with live(redis_url, auth="keys", worker=False) as server:
        key, _ = await server.sign_in.keys.create(subject="kim", tenant="default", roles=["operator"])
        place, ready = f"{server.url}/ui/desk", ".signin input"
        async with window(browser, place, ready=ready, bears="401", locale="en-US") as opened:
            field = opened.page.get_by_label("Token or API key")
            await field.fill("hf_nothing")
            await field.press("Enter")
            await opened.sees("The server does not know this token or key.")
            await opened.shoot("desk-key")
            await field.fill(key)
            await field.press("Enter")
            await expect(opened.page.locator(".person")).to_contain_text("kim")
            await opened.page.reload()
            await expect(opened.page.locator(".person")).to_contain_text("kim")
            await opened.button("Sign out").click()
            await field.wait_for()
            assert await opened.page.evaluate("sessionStorage.length") == 0
