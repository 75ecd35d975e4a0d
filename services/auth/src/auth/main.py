"""auth: OAuth with Strava, the token vault, who is who."""

import httpx
from fastapi import FastAPI

from auth.api import Api
from auth.config import Settings
from auth.strava import StravaOAuth
from auth.vault import Keyring
from shared.service import Service, run


def create_app(settings: Settings) -> FastAPI:
    """Put the service together."""
    service = Service("auth", settings)
    client = httpx.AsyncClient()
    service.on_stop(client.aclose)
    api = Api(
        service.sessions,
        StravaOAuth(
            client,
            str(settings.strava_oauth_url),
            settings.strava_client_id,
            settings.strava_client_secret.get_secret_value(),
        ),
        Keyring.parse(settings.vault_keys.get_secret_value()),
        str(settings.strava_redirect_uri),
        settings.admin_athlete_ids,
    )
    app = service.app()
    app.include_router(
        api.router(settings.auth_api_key.get_secret_value(), settings.vault_access_key.get_secret_value())
    )
    return app


def main() -> None:
    """`python -m auth.main`."""
    run("auth", Settings, create_app)


if __name__ == "__main__":
    main()
