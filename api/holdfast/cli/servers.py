"""Servers that commands ask over HTTP, as a caller of theirs."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Annotated, Any, Concatenate, NamedTuple, TypeVar

import httpx
import orjson
import typer
from pydantic import BaseModel

from holdfast.cli.chat_screen import Screen, terminal
from holdfast.cli.operators import show
from holdfast.client import ApprovalsError, check, read
from holdfast.errors import StartError

T = TypeVar("T")
Shown = TypeVar("Shown", bound=BaseModel)
Row = Sequence[object]

URL = "http://127.0.0.1:8123"
TIMEOUT_S = 30.0

Url = Annotated[str, typer.Option(help="The server", envvar="HOLDFAST_URL", show_envvar=True)]
ApiKey = Annotated[str | None, typer.Option(help="An API key", envvar="HOLDFAST_API_KEY", show_envvar=True)]
Token = Annotated[
    str | None, typer.Option(help="A token of your sign-in", envvar="HOLDFAST_TOKEN", show_envvar=True)
]
OPTIONS = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
    for name, default, annotation in (("url", URL, Url), ("api_key", None, ApiKey), ("token", None, Token))
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, as the server says it")]
Limit = Annotated[int, typer.Option(help="At most so many", min=1, max=1000)]


class Server(NamedTuple):
    """Which server, and who calls it."""

    url: str
    api_key: str | None = None
    token: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        own = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return own | ({"x-api-key": self.api_key} if self.api_key else {})


def with_server(command: Callable[Concatenate[Server, ...], None]) -> Callable[..., None]:
    """Gives a command, after its own options, those that say which server it asks and as whom."""

    @wraps(command)
    def asked(url: str, api_key: str | None, token: str | None, **own: Any) -> None:
        command(Server(url, api_key, token), **own)

    signature = inspect.signature(command)
    _, *own = signature.parameters.values()
    asked.__signature__ = signature.replace(parameters=[*own, *OPTIONS])  # type: ignore[attr-defined]
    return asked


class Calls:
    """What is asked of one server; what it refuses is an `ApprovalsError`."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, path: str, shape: type[T], **params: Any) -> T:
        return read(shape, await self._call("GET", path, params))

    async def page(self, path: str, shape: type[T], **params: Any) -> tuple[T, int]:
        """A page of a list, and how many there are."""
        response = await self._call("GET", path, params)
        return read(shape, response), int(response.headers.get("X-Pagination-Total", 0))

    async def post(self, path: str, shape: type[T], **params: Any) -> T:
        return read(shape, await self._call("POST", path, params))

    async def send(self, method: str, path: str, **params: Any) -> httpx.Response:
        """For what is answered without a body that matters."""
        return await self._call(method, path, params)

    async def _call(self, method: str, path: str, params: dict[str, Any]) -> httpx.Response:
        response = await self._http.request(method, path, params=params)
        check(response)
        return response


Asked = Callable[[Calls, Screen], Awaitable[None]]


def ask(server: Server, work: Asked) -> None:
    """Asks something of a server. Raises `StartError` with a sentence for what it refuses."""
    screen, _ = terminal()
    with explained(server.url):
        asyncio.run(asking(server, work, screen))


async def asking(server: Server, work: Asked, screen: Screen) -> None:
    async with open_http(server) as http:
        await work(Calls(http), screen)


def open_http(server: Server) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=server.url,
        headers=server.headers,
        timeout=TIMEOUT_S,
        transport=httpx.AsyncHTTPTransport(),  # no proxy of the environment: most servers are near
    )


@contextmanager
def explained(url: str) -> Iterator[None]:
    try:
        yield
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise StartError(f"{url} is not an address: give one such as {URL}.") from error
    except (UnicodeError, httpx.LocalProtocolError) as error:
        raise StartError("The key or the token holds characters that none has.") from error
    except httpx.TransportError as error:
        raise StartError(
            f"No server answers at {url}: start one with `holdfast dev`, or name another with --url."
        ) from error
    except ApprovalsError as error:
        raise StartError(sentence(url, error)) from error


def sentence(url: str, error: ApprovalsError) -> str:
    if error.status == httpx.codes.UNAUTHORIZED:
        how = "pass a valid key with --api-key or HOLDFAST_API_KEY, or a token with --token or HOLDFAST_TOKEN"
        return f"{url} does not let you in ({error.detail.rstrip('.')}): {how}."
    return error.detail


def write(screen: Screen, value: BaseModel | list[Any]) -> None:
    told = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    screen.line(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())


def write_page(
    screen: Screen,
    json: bool,
    page: Sequence[Shown],
    total: int,
    heads: Row,
    describe: Callable[[Shown], Row],
) -> None:
    """A page of a list, under heads or as JSON, and how many more there are."""
    if json:
        write(screen, [one.model_dump(mode="json") for one in page])
        return
    show(screen, [heads, *map(describe, page)])
    if total > len(page):
        screen.hint(f"({total - len(page)} more: --limit shows them)")
