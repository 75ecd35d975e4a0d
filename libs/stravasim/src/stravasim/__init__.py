"""A simulator of Strava for development and tests: OAuth, activities, rate limits and webhooks."""
