"""auth: OAuth with Strava, the token vault, users."""

import httpx

from auth import routes
from auth.config import Settings
from auth.strava import StravaOAuth
from auth.token_encryption import Keyring
from auth.use_cases import AuthContext
from shared.service import Service, serve


def create_service(settings: Settings) -> Service:
    """Put the service together."""
    service = Service("auth", settings)
    client = httpx.AsyncClient()
    service.on_stop(client.aclose)
    service.app.state.auth = AuthContext(
        service.database,
        StravaOAuth(
            client,
            str(settings.strava_oauth_url),
            settings.strava_client_id,
            settings.strava_client_secret.get_secret_value(),
        ),
        Keyring.parse(settings.vault_keys.get_secret_value()),
        str(settings.strava_redirect_uri),
        settings.admin_athlete_ids,
        settings.auth_api_key.get_secret_value(),
        settings.vault_access_key.get_secret_value(),
    )
    service.app.include_router(routes.router)
    return service


def main() -> None:
    """`python -m auth.main`."""
    serve("auth", Settings, create_service)


if __name__ == "__main__":
    main()
