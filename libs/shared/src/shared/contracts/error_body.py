"""The body of every error that one of our services answers with."""

from pydantic import BaseModel


class ErrorBody(BaseModel):
    """`code` is for programs, `message` a sentence for people."""

    code: str
    message: str
