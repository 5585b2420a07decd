"""Passwords and keys, wherever a sentence or a line could repeat them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from graph.models import ModelFailed, _judge
from graph.settings import Settings as AgentSettings
from holdfast.errors import StartError
from holdfast.project import load_project
from holdfast.redis.checks import check_url, shown
from holdfast.settings import Settings, read_settings
from tests.logs.conftest import Lines
from tools.shop.engine import create_engine


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://host:6379", "redis://host:6379"),
        ("redis://:s3cr3t@host:6379/2", "redis://host:6379/2"),
        ("rediss://user:a@s3cr3t@host", "rediss://host"),
        ("redis://host:6379/0?password=s3cr3t&username=u", "redis://host:6379/0"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock"),
        ("unix://user:s3cr3t@/run/redis.sock?password=s3cr3t", "unix:///run/redis.sock"),
    ],
)
def test_a_shown_url_leads_to_the_server_and_tells_nothing_else(url: str, told: str) -> None:
    check_url(url)
    assert shown(url) == told


@pytest.mark.parametrize(
    "url",
    [
        *(
            "redis://:s3/cr3t@host:6379",
            "redis://12/s3cr3t@host",
            "redis://:1?s3cr3t@host",
            "redis://:1#s3cr3t@host",
        ),
        *("unix://:s3/cr3t@/run/redis.sock", "s3cr3t@host", "http://:s3cr3t@host"),
    ],
)
def test_an_address_that_would_be_misread_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(StartError) as refusal:
        check_url(url)
    assert not any(part in refusal.value.detail for part in ("s3", "cr3t", "12"))


def test_settings_do_not_show_where_redis_is() -> None:
    settings = read_settings({"REDIS_URL": "redis://:s3cr3t@host"})
    assert "s3cr3t" not in f"{settings!r} {settings}"
    assert Settings.model_fields["redis_url"].repr is False, "so that no sentence repeats a wrong one either"


def test_a_project_whose_settings_are_wrong_is_refused_without_them(tmp_path: Path) -> None:
    (tmp_path / "broken_key.py").write_text(
        "from pydantic import BaseModel\n"
        "class Needs(BaseModel):\n    key: int\n"
        "Needs.model_validate({'key': 's3cr3t'})\n"
    )
    config = tmp_path / "langgraph.json"
    config.write_bytes(orjson.dumps({"graphs": {"a": "./broken_key.py:graph"}}))
    with pytest.raises(StartError, match="ValidationError: key: Input should be a valid integer") as refusal:
        load_project(config)
    assert "s3cr3t" not in refusal.value.detail


async def test_what_a_shop_database_refuses_is_told_without_its_values(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    try:
        async with engine.connect() as connection:
            with pytest.raises(SQLAlchemyError) as refusal:
                await connection.execute(text("SELECT * FROM absent WHERE name = :name"), {"name": "s3cr3t"})
    finally:
        await engine.dispose()
    assert "no such table: absent" in str(refusal.value)
    assert "s3cr3t" not in str(refusal.value)


def test_a_model_that_refuses_its_key_is_told_by_status(lines: Lines) -> None:
    answer: Any = SimpleNamespace(status_code=401, request=None, headers={})  # whichever httpx openai uses
    refusal = openai.AuthenticationError("Incorrect API key provided: s3cr3t", response=answer, body="s3cr3t")
    with pytest.raises(ModelFailed):
        _judge(refusal, 1, AgentSettings())
    line = lines.one()
    assert (line["message"], line["error"], line["status"]) == (
        "The model did not answer.",
        "AuthenticationError",
        401,
    )
    assert "s3cr3t" not in str(line)
