"""What Strava's clients see: the routes of the simulated Strava, their OpenAPI document, and the middleware."""
