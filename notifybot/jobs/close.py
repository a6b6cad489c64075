"""Close alerts whose time is over."""

from datetime import datetime

from notifybot.alerts import expire
from notifybot.jobs.batches import process_due
from notifybot.runtime import Runtime


async def run(runtime: Runtime, _: datetime) -> int:
    """Close overdue alerts; return the number closed."""
    return await process_due(runtime, "close", expire.EXPIRATIONS, expire.expire_due)
