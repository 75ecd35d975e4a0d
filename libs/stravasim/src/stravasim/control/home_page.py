"""The HTML page that shows the state of the simulator: athletes, requests, rate limits, active faults."""

from jinja2 import Environment

from stravasim.control.models import athlete_summaries, request_counts
from stravasim.simulator import Simulator

_MAX_ATHLETES = 100
_MAX_REQUESTS = 8


def render_home_page(simulator: Simulator, templates: Environment) -> str:
    """The page at `/`."""
    counts, limits, settings = request_counts(simulator), simulator.settings.limits, simulator.settings
    outcomes = [delivery.outcome for delivery in simulator.webhooks.deliveries]
    faults = [
        f"{rule.kind} for {rule.athlete_id or 'all athletes'} on {rule.path}" for _, rule in simulator.faults.items()
    ]
    return templates.get_template("home.html").render(
        total=len(simulator.dataset.athletes),
        connected=len(simulator.tokens.scopes),
        athletes=athlete_summaries(simulator, _MAX_ATHLETES),
        counts=counts,
        latest=[*simulator.request_log][: -_MAX_REQUESTS - 1 : -1],
        budget=[
            ("Reads, quarter hour", counts.read_quarter, limits.read_quarter),
            ("Reads, day", counts.read_day, limits.read_day),
            ("All, quarter hour", counts.overall_quarter, limits.overall_quarter),
            ("All, day", counts.overall_day, limits.overall_day),
        ],
        client_id=settings.application.client_id,
        now=simulator.clock.now().isoformat(),
        frozen=simulator.clock.frozen,
        faults=[*(["the application is inactive"] if settings.inactive else []), *faults],
        callback=simulator.subscription and simulator.subscription.callback_url,
        delivered=outcomes.count("delivered"),
        undelivered=len(outcomes) - outcomes.count("delivered"),
    )
