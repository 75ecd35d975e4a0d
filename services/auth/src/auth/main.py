"""auth: OAuth with Strava, the token vault, users."""

from functools import partial

import httpx
from fastapi import FastAPI

from auth.admins import routes as admins_routes
from auth.admins.use_cases import apply_configuration
from auth.authorizations import routes as authorizations_routes
from auth.authorizations.use_cases import purge_authorizations
from auth.config import Settings
from auth.dependencies import AuthContext, CallerKeys
from auth.revocations.use_cases import purge_revocations, revoke_next
from auth.strava import StravaOAuth
from auth.token_encryption import Keyring
from auth.tokens import routes as tokens_routes
from auth.tokens.refresher import TokenRefresher
from auth.users import routes as users_routes
from auth.users.handlers import make_handlers
from auth.users.use_cases import check_next_deauthorization
from auth.vault import routes as vault_routes
from auth.vault.use_cases import find_key_problem
from shared.http.api import add_routes
from shared.service import Service, serve
from shared.settings import exit_misconfigured

IDLE_S = 1.0  # between looks for a permission to end or to check
PURGE_INTERVAL_S = 600.0


def create_service(settings: Settings) -> Service:
    """Put the service together."""
    service = Service("auth", settings, openapi=True)
    client = httpx.AsyncClient()
    context = AuthContext(
        service.database,
        StravaOAuth(
            client,
            str(settings.strava_oauth_url),
            settings.strava_client_id,
            settings.strava_client_secret.get_secret_value(),
        ),
        Keyring.parse(settings.vault_keys.get_secret_value()),
        str(settings.strava_redirect_uri),
        settings.strava_use_deauthorize,
        settings.admin_athlete_ids,
        CallerKeys(
            web=settings.auth_api_key.get_secret_value(),
            sync=settings.vault_access_key.get_secret_value(),
            operator=settings.auth_operator_key.get_secret_value(),
        ),
    )
    refresher = configure_app(service.app, context)

    async def revoke() -> bool:
        return await revoke_next(context)

    async def check_deauthorization() -> bool:
        return await check_next_deauthorization(context, refresher)

    async def purge() -> bool:
        await purge_authorizations(context)
        await purge_revocations(context)
        return False

    service.add_start_check(partial(check_keys, context))
    service.on_start(partial(apply_configuration, context))
    service.bus.subscribe("auth.people", make_handlers(context.keyring))
    service.add_periodic_task(revoke, IDLE_S, due=context.revocation_due)
    service.add_periodic_task(check_deauthorization, IDLE_S)
    service.add_periodic_task(purge, PURGE_INTERVAL_S)
    service.on_stop(refresher.close)
    service.on_stop(client.aclose)
    return service


def configure_app(app: FastAPI, context: AuthContext) -> TokenRefresher:
    """Add the API to an application; returns its refresher."""
    refresher = TokenRefresher(context)
    app.state.context, app.state.refresher = context, refresher
    add_routes(
        app,
        authorizations_routes.router,
        users_routes.router,
        tokens_routes.router,
        admins_routes.router,
        vault_routes.router,
    )
    return refresher


async def check_keys(context: AuthContext) -> None:
    """End the process when the keyring cannot be the vault's."""
    problem = await find_key_problem(context)
    if problem:
        exit_misconfigured(problem)


def main() -> None:
    """`python -m auth.main`."""
    serve("auth", Settings, create_service)


if __name__ == "__main__":
    main()
