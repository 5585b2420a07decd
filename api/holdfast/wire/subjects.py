"""People: what a client sends about them."""

from typing import Annotated

from pydantic import Field

from holdfast.wire.common import Body


class SubjectErase(Body):
    subject: Annotated[str, Field(min_length=1, max_length=200)]
