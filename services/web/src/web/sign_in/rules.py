"""The consent that people give: pure, without a clock, without IO."""

#: The day on which the texts that people agree to last changed, and which change of that day it was if not the first.
#: The tests hold the texts of each version.
CONSENT_VERSION = "2026-11-29.3"
