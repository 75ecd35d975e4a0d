"""Settings of auth."""

from typing import Annotated, Self

from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from auth.token_encryption import Keyring
from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What auth needs: the application's Strava credentials, the vault's keys, who may call it."""

    strava_client_id: int
    strava_client_secret: SecretStr = Field(min_length=1)
    strava_redirect_uri: HttpUrl
    strava_oauth_url: HttpUrl = HttpUrl("https://www.strava.com/oauth")
    strava_use_deauthorize: bool = False  # oauth/deauthorize instead of oauth/revoke
    vault_keys: SecretStr  # `id:base64,id:base64`, 32 bytes each; the first one encrypts, all of them decrypt
    auth_api_key: SecretStr = Field(min_length=16)  # web's
    vault_access_key: SecretStr = Field(min_length=16)  # sync's, the only one that may ask for tokens
    auth_operator_key: SecretStr = Field(min_length=16)  # of `gruppetto admins` and `gruppetto vault`
    admin_athlete_ids: Annotated[frozenset[int], NoDecode] = frozenset()

    @field_validator("admin_athlete_ids", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        return [part for part in value.replace(" ", "").split(",") if part] if isinstance(value, str) else value

    @field_validator("vault_keys")
    @classmethod
    def _usable(cls, value: SecretStr) -> SecretStr:
        Keyring.parse(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _separate_callers(self) -> Self:
        keys = [self.auth_api_key, self.vault_access_key, self.auth_operator_key]
        if len({key.get_secret_value() for key in keys}) < len(keys):
            raise ValueError(
                "AUTH_API_KEY, VAULT_ACCESS_KEY and AUTH_OPERATOR_KEY must differ, or one caller could do "
                "what only another may"
            )
        return self
