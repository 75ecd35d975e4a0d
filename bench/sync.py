"""sync over a month: calls to Strava beside the fewest possible, and what is known when.

`python bench/sync.py` prints one line of JSON, with `clubs` of 300 and of 1,000 athletes.
"""

import asyncio
import sys
from pathlib import Path

import structlog

# Not this folder, in which `sync` is this file and not the service.
sys.path[0] = str(Path(__file__).with_name("sync_month"))

from month import main  # noqa: E402

if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))  # errors, if there were any
    asyncio.run(main())
