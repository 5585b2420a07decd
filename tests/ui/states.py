"""States of the chat as they are looked at: in both themes, and by axe-core."""

from typing import Any

from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.ui.accessibility import findings
from tests.ui.windows import Window


async def look(chat: Window, name: str) -> None:
    """A picture in light and in dark, and nothing that axe finds."""
    element = chat.page.locator("holdfast-chat")
    for theme in ("light", "dark"):
        await element.evaluate("(chat, theme) => chat.setAttribute('theme', theme)", theme)
        await chat.shoot(f"{name}-{theme}")
        found = await findings(chat)
        assert found == [], found
    await element.evaluate("chat => chat.removeAttribute('theme')")


async def operator(url: str, name: str) -> LangGraphClient:
    """One of the shop's people."""
    async with get_client(url=url) as client:
        made: Any = await client.http.post("/dev/token", json={"subject": name, "roles": ["operator"]})
    return get_client(url=url, headers={"Authorization": f"Bearer {made['token']}"})
