"""Strava's rules and responses as values and functions: no IO, no clock, no randomness, no framework."""
