"""`python -m graph.evaluation`: judge the configured model and print its score card."""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dotenv import load_dotenv
from rich.console import Console
from rich.table import Table

from graph.demo import MODEL
from graph.evaluation import CRITERIA, CUSTOMERS, Customer, Score, hold_conversations, judge
from graph.evaluation.scoring import never_answered
from graph.settings import SettingInvalid, Settings

NEVER_ANSWERED = "The model never answered: check OPENAI_API_KEY, OPENAI_BASE_URL and OPENAI_MODEL."


def main() -> int:
    load_dotenv(Path(".env"))
    console = Console()
    try:
        settings = Settings.read()
    except SettingInvalid as error:
        console.print(str(error))
        return 2
    return asyncio.run(evaluate(settings, CUSTOMERS, console))


async def evaluate(settings: Settings, customers: Sequence[Customer], console: Console) -> int:
    """The exit code: 0 when the model could be judged, however it did; 1 when it never answered."""
    with tempfile.TemporaryDirectory(prefix="evaluation-") as folder:
        records = await hold_conversations(settings, customers, Path(folder))
    if all(never_answered(record) for record in records):
        console.print(NEVER_ANSWERED)
        return 1
    show([judge(record) for record in records], settings, console)
    return 0


def show(scores: Sequence[Score], settings: Settings, console: Console) -> None:
    """The card: a line for each customer, then what went wrong, then the sum."""
    model = MODEL if settings.demo_model else settings.openai_model
    table = Table("customer", "", *CRITERIA, title=f"customers of {model}")
    for score in scores:
        customer = score.record.customer
        table.add_row(customer.name, customer.language, *(mark(score, name) for name in CRITERIA))
    console.print(table)
    for score in scores:
        for name, faults in score.faults.items():
            for fault in faults:
                console.print(f"{score.record.customer.name} ({name}): {fault}", markup=False)
    passed, tried = sum(score.passed for score in scores), sum(len(score.faults) for score in scores)
    served = sum(score.passed == len(score.faults) for score in scores)
    console.print(f"{served} of {len(scores)} customers served, {passed} of {tried} criteria met")


def mark(score: Score, criterion: str) -> str:
    if criterion not in score.faults:
        return "–"
    return "[red]fail[/red]" if score.faults[criterion] else "[green]pass[/green]"


if __name__ == "__main__":
    sys.exit(main())
