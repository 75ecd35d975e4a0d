"""Comparing names that people give: pure, without a clock, without IO."""

import unicodedata


def fold_name(name: str) -> str:
    """The form by which names are compared: without differences of case, width of letters, and spaces."""
    # Folding the case can take characters apart that the form puts together.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(folded.split())
