"""The one error that people see."""


class StackError(Exception):
    """One line for a person: what happened, and what to do about it."""
