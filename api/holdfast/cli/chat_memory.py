"""Which thread was talked in last, for each server: a small file in the user's state folder."""

import os
from pathlib import Path

import orjson


def memory_file() -> Path:
    """`$XDG_STATE_HOME/holdfast/chat.json`; the specification has relative values ignored."""
    given = Path(os.environ.get("XDG_STATE_HOME", ""))
    folder = given if given.is_absolute() else Path.home() / ".local" / "state"
    return folder / "holdfast" / "chat.json"


def recall(url: str) -> str | None:
    thread_id = read(memory_file()).get(url)
    return thread_id if isinstance(thread_id, str) else None


def remember(url: str, thread_id: str) -> None:
    """Raises OSError when the file cannot be written."""
    file = memory_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.{os.getpid()}")
    new.write_bytes(orjson.dumps({**read(file), url: thread_id}, option=orjson.OPT_INDENT_2))
    new.replace(file)


def read(file: Path) -> dict[str, object]:
    """What the file holds; a file that is not there or was broken by hand holds nothing."""
    try:
        found = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}
