"""A simulator of Strava: its sign-in, its activity list, its rate limits, and a club to fill them."""
