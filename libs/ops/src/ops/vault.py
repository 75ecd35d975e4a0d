"""The vault page by page: what is under which key, what cannot be read, and encrypting it anew."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import stamina
from stamina.instrumentation import RetryDetails, get_on_retry_hooks, set_on_retry_hooks

from ops.errors import OperatorError
from ops.internal_api import InternalApi, ServerAway
from shared.contracts.auth_api import UnreadableToken, VaultPage

MAX_BATCH = 500  # rows in one page of auth's
DEFAULT_BATCH = 200

#: Some 40 s in all, which is longer than a restart of auth.
_ATTEMPTS = 8
_PATIENCE_S = 60.0
_WAIT_S = 0.5
_LONGEST_WAIT_S = 10.0


@dataclass
class VaultTally:
    """What the pages so far add up to. A row whose two tokens are under two keys counts under both."""

    rows: int = 0
    rotated: int = 0
    rows_by_key: Counter[str] = field(default_factory=Counter)
    unreadable: list[UnreadableToken] = field(default_factory=list)
    complete: bool = False

    def add(self, page: VaultPage) -> None:
        """Count one more page."""
        self.rows += page.rows
        self.rotated += page.rotated
        self.rows_by_key.update(page.rows_by_key)
        self.unreadable += page.unreadable
        self.complete = page.next_after is None


def check(api: InternalApi, on_wait: Callable[[str], None]) -> Iterator[VaultPage]:
    """Decrypt every row and change nothing; yields page by page. Raises OperatorError.

    While auth is away for a moment the page is asked for again, and `on_wait` is called with a sentence each time.
    """
    return _pages(api, "GET", "/vault", DEFAULT_BATCH, on_wait)


def rotate(api: InternalApi, batch: int, on_wait: Callable[[str], None]) -> Iterator[VaultPage]:
    """Encrypt under the active key every row that is not; yields pages of `batch` rows. Raises OperatorError.

    Each page is one transaction of auth's: what was yielded stays, however this ends. `on_wait` as in `check`.
    """
    return _pages(api, "POST", "/vault/rotate", batch, on_wait)


def _pages(
    api: InternalApi, method: str, path: str, batch: int, on_wait: Callable[[str], None]
) -> Iterator[VaultPage]:
    after = None
    while True:
        params = {"limit": str(batch)} | ({} if after is None else {"after": str(after)})
        page = _page(api, method, path, params, on_wait)
        yield page
        if page.next_after is None:
            return
        if after is not None and page.next_after <= after:
            raise OperatorError("auth gives the same rows of the vault again and again")
        after = page.next_after


def _page(
    api: InternalApi, method: str, path: str, params: dict[str, str], on_wait: Callable[[str], None]
) -> VaultPage:
    with _told_of_retries(on_wait):
        for attempt in stamina.retry_context(
            on=ServerAway, attempts=_ATTEMPTS, timeout=_PATIENCE_S, wait_initial=_WAIT_S, wait_max=_LONGEST_WAIT_S
        ):
            with attempt:
                return api.fetch(method, path, VaultPage, params)
    raise AssertionError("the last attempt returns or raises")


@contextmanager
def _told_of_retries(on_wait: Callable[[str], None]) -> Iterator[None]:
    """Retries inside are told to the operator instead of a log, which would go to stdout."""

    def tell(details: RetryDetails) -> None:
        on_wait(f"{str(details.caused_by).rstrip('.')}; trying again in {details.wait_for:.1f} s")

    before = get_on_retry_hooks()
    set_on_retry_hooks([tell])
    try:
        yield
    finally:
        set_on_retry_hooks(before)
