"""Calls to a service's internal HTTP API: a contract's model, or an error in one sentence."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias, TypeVar

import httpx
from pydantic import AfterValidator, BaseModel, HttpUrl, SecretStr, ValidationError

from ops.errors import OperatorError
from ops.message_codec import escape_control
from shared.contracts.error_body import ErrorBody

Model = TypeVar("Model", bound=BaseModel)

_TIMEOUT = httpx.Timeout(60.0, connect=5.0)  # a page of the vault is some hundred rows
_AWAY = (429, 502, 503, 504)
_HEADER = re.compile(r"[\x21-\x7e]+")


def _is_key(value: SecretStr) -> SecretStr:
    # The HTTP client would show a key that it cannot send.
    if not _HEADER.fullmatch(value.get_secret_value()):
        raise ValueError("expected one or more ASCII characters without spaces")
    return value


#: A key that fits into a header.
OperatorKey: TypeAlias = Annotated[SecretStr, AfterValidator(_is_key)]


class ServerAway(OperatorError):
    """The server does not answer, or not now; the same call may succeed later."""


@dataclass(frozen=True)
class Endpoint:
    """Where a service listens for operators, what it lets in, and which settings say so."""

    service: str
    url: HttpUrl
    url_setting: str
    key: SecretStr
    key_setting: str

    def __str__(self) -> str:
        return f"{self.service} at {self.url.scheme}://{self.url.host}:{self.url.port}"


class InternalApi:
    """Calls to one service."""

    def __init__(self, endpoint: Endpoint, client: httpx.Client) -> None:
        self._endpoint = endpoint
        self._client = client

    def fetch(
        self,
        method: str,
        path: str,
        model: type[Model],
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Model:
        """The answer as that model. Raises OperatorError, of which ServerAway is worth another try."""
        answer = self.send(method, path, params, body)
        try:
            return model.model_validate_json(answer.content)
        except ValidationError:
            raise OperatorError(
                f"{self._endpoint} gives an answer that cannot be read: check {self._endpoint.url_setting}, "
                "and that both sides are of the same release"
            ) from None

    def send(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        """A successful answer. Raises OperatorError, of which ServerAway is worth another try."""
        try:
            answer = self._client.request(method, path, params=params, json=body)
        except httpx.HTTPError as error:  # whose text may hold what was sent
            raise ServerAway(f"{self._endpoint} does not answer ({type(error).__name__})") from None
        if not answer.is_success:
            raise self._refusal(answer)
        return answer

    def _refusal(self, answer: httpx.Response) -> OperatorError:
        status = answer.status_code
        if status == 403:
            return OperatorError(f"{self._endpoint} refuses the key: check {self._endpoint.key_setting}")
        place = f"{self._endpoint} answers with status {status}"
        try:
            message = escape_control(ErrorBody.model_validate_json(answer.content).message)
        except ValidationError:
            message = ""
        if status in _AWAY:
            return ServerAway(f"{place}: {message}" if message else place)
        return OperatorError(message or f"{place} and no reason: check {self._endpoint.url_setting}")


@contextmanager
def open_api(endpoint: Endpoint, transport: httpx.BaseTransport | None = None) -> Iterator[InternalApi]:
    """Calls to that service, through the network unless there is another transport."""

    def authorize(request: httpx.Request) -> httpx.Request:
        request.headers["Authorization"] = f"Bearer {endpoint.key.get_secret_value()}"
        return request

    # As `auth`, because a user and a password in the address would take the place of a mere header.
    with httpx.Client(base_url=str(endpoint.url), auth=authorize, timeout=_TIMEOUT, transport=transport) as client:
        yield InternalApi(endpoint, client)
