"""The body of every error that one of our services answers with."""

from pydantic import BaseModel


class FieldProblem(BaseModel):
    """What is wrong with one field: where it is, with dots between the steps, and a sentence."""

    field: str
    message: str


class ErrorBody(BaseModel):
    """`code` is for programs, `message` a sentence for people; `fields` are those at fault."""

    code: str
    message: str
    fields: tuple[FieldProblem, ...] = ()
