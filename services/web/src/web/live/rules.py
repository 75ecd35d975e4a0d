"""Addresses of pages that update themselves, and of the same pages when that is paused: pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LiveView:
    """A page of a challenge, at its address without what pauses it."""

    path: str
    is_live: bool = True
    is_own: bool = False  # about whom it is shown to

    @property
    def paused_path(self) -> str:
        """The address of the page as it is now, which stays so."""
        return pause(self.path)


def pause(path: str) -> str:
    """The address of a page that does not update itself."""
    return f"{path}{'&' if '?' in path else '?'}live=0"


def make_view(path: str, live: str, *, is_own: bool = False, **query: object) -> LiveView:
    """The page at that path; of the query what is not the usual is given, and kept."""
    kept = "&".join(f"{name}={value}" for name, value in query.items() if value)
    return LiveView(f"{path}?{kept}" if kept else path, live != "0", is_own)
