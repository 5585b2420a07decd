"""What `holdfast audit` says of the audit trail."""

import csv
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from holdfast.cli.chat_screen import Screen
from holdfast.core import audit
from holdfast.core.audit import Report
from holdfast.core.platform import Platform
from holdfast.core.trail import Head

Format = Literal["jsonl", "csv"]

COLUMNS = (
    "lane", "seq", "at", "kind", "tenant", "thread_id", "request_id", "policy", "actor", "subject", "run_id",
    "status", "digest", "details", "link", "text",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take the beginning of a text for


async def verify(noted: Sequence[Head], wrong: list[str], platform: Platform, screen: Screen) -> None:
    """Says what is wrong, adds it to `wrong`, and ends with the heads."""
    report = await audit.verify(platform, noted)
    wrong += map(str, report.findings)
    for line in wrong:
        screen.line(line)
    for unchecked in report.unchecked:
        screen.line(f"not checked: {unchecked}")
    screen.line(sum_up(report))
    for head in report.heads:
        screen.line(f"head {head}")


def sum_up(report: Report) -> str:
    gone = f" ({report.gone} of them gone with their threads)" if report.gone else ""
    found = f"wrong: {len(report.findings)}" if report.findings else "all as it was written"
    return f"{report.entries} entries, {report.requests} requests{gone}: {found}"


async def export(
    format: Format, since: datetime | None, tenant: str | None, platform: Platform, _screen: Screen
) -> None:
    """Writes the entries to standard output."""
    after = since.replace(tzinfo=UTC) if since and since.tzinfo is None else since
    table = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    if format == "csv":
        table.writeheader()
    async for row in audit.tell(platform, after, tenant):
        if format == "csv":
            table.writerow(harmless(row))
        else:
            sys.stdout.write(orjson.dumps(row).decode() + "\n")
    sys.stdout.flush()


def harmless(row: Mapping[str, Any]) -> dict[str, Any]:
    """Names are chosen by people: none may become a formula in the program that opens the file."""
    return {
        name: f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
        for name, value in row.items()
    }
