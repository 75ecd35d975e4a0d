"""What commands fail with."""


class OperatorError(Exception):
    """An error that is printed for the operator; the text is one sentence."""
