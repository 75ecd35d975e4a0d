"""The consent that people give: pure, without a clock, without IO."""

#: The day on which the texts that people agree to last changed. The tests hold the texts of each version.
CONSENT_VERSION = "2026-11-29"
