"""The short door: what a client sends to /chat."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from holdfast.wire.common import Body

SESSION_CHARS = 256
MESSAGE_CHARS = 32_768


class ChatRequest(Body):
    """A message, or the answer to what waits. Null and a field that is not there are the same."""

    message: Annotated[str, Field(max_length=MESSAGE_CHARS)] | None = None
    session_id: Annotated[str, Field(max_length=SESSION_CHARS)] | None = None
    resume: Any = None

    @model_validator(mode="after")
    def check(self) -> Self:
        if (self.message is None) == (self.resume is None):
            raise ValueError("Send either `message` or `resume`.")
        if self.message is not None and not self.message.strip():
            raise ValueError("`message` must not be empty.")
        if self.resume is not None and not self.session_id:
            raise ValueError("`resume` needs the `session_id` in which something waits.")
        return self
