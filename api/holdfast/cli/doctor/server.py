"""A server that is deployed, as its callers find it: through whatever stands before it."""

import asyncio
import ssl
import time
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx

from holdfast import __version__
from holdfast.cli.doctor.findings import Finding, fail, ok, warn
from holdfast.cli.servers import Server

STREAM = "/approvals/stream"  # one that begins with nothing and is pinged
PING_S = 12.0  # two pings of the server, and some
SOON_DAYS, DAY_S = 21, 86_400
SKEW_S = 5.0
TIMEOUT_S = 10.0


async def examine(server: Server) -> list[Finding]:
    """Findings in the order of a request: connection, server, headers, streams."""
    async with httpx.AsyncClient(
        base_url=server.url,
        headers=server.headers,
        timeout=TIMEOUT_S,
        verify=ssl.create_default_context(),
        trust_env=False,
    ) as http:
        try:
            ready = await http.get("/readyz")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return [explain(server.url, error)]
        return [
            await examine_tls(server.url),
            tell_ready(ready),
            await examine_version(http),
            examine_headers(server.url, ready),
            *await examine_streams(http),
        ]


def explain(url: str, error: Exception) -> Finding:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return fail(
            "tls", f"The certificate of {url} is not trusted here ({error}): renew it, or correct its chain."
        )
    return fail("server", f"No server answers at {url} ({type(error).__name__}): start it, or correct --url.")


async def examine_tls(url: str) -> Finding:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        if is_local(host):
            return ok("tls", f"none, on {host}")
        return fail(
            "tls", f"{url} is not encrypted: keys and conversations can be read on the way; use https."
        )
    left_days = (await expiry(host, parts.port or 443) - time.time()) / DAY_S
    if left_days < SOON_DAYS:
        return warn("tls", f"The certificate ends in {left_days:.0f} days: renew it.")
    return ok("tls", f"a certificate for {left_days:.0f} days")


def is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def expiry(host: str, port: int) -> float:
    """When the server's certificate ends; it was found to be valid before."""
    _, writer = await asyncio.open_connection(host, port, ssl=ssl.create_default_context())
    try:
        certificate = writer.get_extra_info("peercert")
        return ssl.cert_time_to_seconds(certificate["notAfter"])
    finally:
        writer.close()


def tell_ready(response: httpx.Response) -> Finding:
    try:
        told = response.json()
    except ValueError:
        told = {}
    if not isinstance(told, dict) or "ok" not in told:
        return fail(
            "server", f"What answers is no Holdfast ({response.status_code}): correct --url or the proxy."
        )
    if not told["ok"]:
        return fail("server", f"It takes no work: {told.get('detail', '')}")
    return warn("server", str(told["warning"])) if told.get("warning") else ok("server", "ready")


async def examine_version(http: httpx.AsyncClient) -> Finding:
    try:
        version = (await http.get("/info")).json()["host"]["version"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return warn(
            "version", "The server does not say which version it is: look whether http.disable_meta is set."
        )
    if version != __version__:
        return warn("version", f"The server is {version} and this command {__version__}: use the same one.")
    return ok("version", str(version))


def examine_headers(url: str, response: httpx.Response) -> Finding:
    lacking = [] if "x-request-id" in response.headers else ["X-Request-ID"]
    if url.startswith("https:") and "strict-transport-security" not in response.headers:
        lacking.append("Strict-Transport-Security")
    if lacking:
        return warn("headers", f"Answers come without {' and '.join(lacking)}: see deploy/nginx.conf.")
    date = response.headers.get("date")
    skew_s = parsedate_to_datetime(date).timestamp() - time.time() if date else 0.0
    if abs(skew_s) > SKEW_S:
        return warn("headers", f"The server's clock is {skew_s:+.0f} s off this machine's: run NTP on both.")
    return ok("headers", "as they should be")


async def examine_streams(http: httpx.AsyncClient) -> list[Finding]:
    started = time.monotonic()
    try:
        async with asyncio.timeout(PING_S), http.stream("GET", STREAM) as response:
            if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
                return [warn("streams", "Not looked at: pass a key with --api-key, or a token with --token.")]
            if not response.is_success:
                return [
                    fail("streams", f"A stream is answered with {response.status_code}: look at the proxy.")
                ]
            encoding = response.headers.get("content-encoding")
            await anext(response.aiter_raw())
    except (TimeoutError, StopAsyncIteration, httpx.HTTPError):
        return [
            fail(
                "streams",
                f"Nothing of a stream came within {PING_S:g} s: the proxy keeps it back; let it heed "
                "X-Accel-Buffering, or set proxy_buffering off.",
            )
        ]
    came_s = time.monotonic() - started
    if encoding:
        return [
            warn(
                "streams", f"The proxy compresses streams ({encoding}): that can hold events up; turn it off."
            )
        ]
    return [ok("streams", f"not buffered, a ping came after {came_s:.1f} s")]
