"""The HTTP interface of the simulated Strava: routes, OpenAPI document, middleware."""
