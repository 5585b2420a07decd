"""The rules of money under whatever comes in whatever order. MONEY_STEPS=10000 takes more of it."""

import os
import shutil
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.tools.databases import passing_database
from tests.tools.money_machine import LAX, MoneyMachine
from tools.shop import Shop

STEPS = int(os.environ.get("MONEY_STEPS", "500"))
STEPS_A_RUN = 30

Urls = Callable[[ExitStack], str]


@pytest.fixture
def urls(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> Urls:
    """A seeded database for each run of steps, gone after it."""
    if dialect == "postgres":
        postgres, template = (request.getfixturevalue(name) for name in ("postgres", "postgres_template"))
        return lambda stack: stack.enter_context(passing_database(postgres, template))
    seeded = request.getfixturevalue("sqlite_template")

    def copied(stack: ExitStack) -> str:
        path = tmp_path / f"{uuid.uuid4().hex}.db"
        shutil.copyfile(seeded, path)
        stack.callback(path.unlink)
        return f"sqlite:///{path}"

    return copied


@pytest.mark.timeout(60 + STEPS // 2)
def test_the_rules_of_money(urls: Urls) -> None:
    class Machine(MoneyMachine):
        def open_shop(self) -> Shop:
            self.stack = ExitStack()
            return Shop.open(urls(self.stack), clock=self.clock, policy=LAX)

        def close_shop(self) -> None:
            self.stack.close()

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=max(1, STEPS // STEPS_A_RUN),
            stateful_step_count=STEPS_A_RUN,
            deadline=None,
            # Each try to shorten what went wrong would need a database of its own, for minutes.
            phases=[Phase.generate],
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
