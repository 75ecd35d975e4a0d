"""What Strava is and answers: its rules as values and functions. No IO, no clock, no randomness, no framework."""
