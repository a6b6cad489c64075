"""The caller's spool, for the commands that send."""

import os
import sys

from notifybot.cli.output import one_line, print_json, print_line, print_warning
from notifybot.client.errors import ClientError, Spooled
from notifybot.client.transport import default_spool_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from notifybot.client import Client
    from notifybot.client.spool import HandedOver, Spool


def own_spool() -> "Spool":
    from pathlib import Path

    from notifybot.client.spool import Spool  # with pathlib it takes 7 ms

    return Spool(Path(default_spool_folder(os.environ)))


def send_spooled(client: "Client") -> None:
    """Hand over what waits, before a message is sent. A failure is no reason not to try the message."""
    if not os.path.exists(default_spool_folder(os.environ)):  # noqa: PTH110 - without pathlib
        return
    try:
        done = client.hand_over(own_spool())
    except ClientError as error:
        print_warning(error.detail)
        return
    warn_of_refused(done)
    if done.accepted:
        print(f"from your spool: {done.accepted} handed over", file=sys.stderr)


def warn_of_refused(done: "HandedOver") -> None:
    for number, reason in done.refused:
        print_warning(f"spool: message {number} was refused and is kept: {reason}")


def print_spooled(error: Spooled, *, is_json: bool) -> int:
    """Print that the message is kept; this is success."""
    print_warning(error.reason.detail)
    if is_json:
        print_json({"spooled": error.number, "reason": error.reason.detail})
    else:
        print_line(f"spooled: {error.number} ({one_line(error.hint or '')})")
    return 0
