"""Digests of final results: pure, without a clock, without IO."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class FinalStanding:
    """A row of a board as it was when the challenge was closed; `participant` is a hash of the user id."""

    board: str
    place: int
    participant: str
    distance_m: Decimal
    moving_time_s: int
    elev_gain_m: Decimal
    activities: int
    points: Decimal


def hash_participant(user_id: str) -> str:
    """What is left of somebody who is erased in the results of a closed challenge."""
    return hashlib.sha256(user_id.encode()).hexdigest()


def compute_digest(challenge: str, standings: Iterable[FinalStanding]) -> str:
    """SHA-256 over a line for the challenge and one for each row, in the order of board, place and participant.

    Anybody can compute it: fields separated by tabs, metres and points with two decimals, lines ended by a newline.
    """
    lines = [challenge]
    for row in sorted(standings, key=lambda one: (one.board, one.place, one.participant)):
        figures = (f"{row.distance_m:.2f}", row.moving_time_s, f"{row.elev_gain_m:.2f}", row.activities)
        lines.append("\t".join(map(str, (row.board, row.place, row.participant, *figures, f"{row.points:.2f}"))))
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
