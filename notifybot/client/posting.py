"""Sends messages: after those in the caller's spool, and into it while the daemon cannot take them."""

import time

from notifybot.client.errors import NoAnswer, NotReady, Spooled, Unreachable
from notifybot.client.reader import read
from notifybot.client.record import record
from notifybot.client.results import Accepted
from notifybot.client.transport import Transport
from notifybot.client.unix_http import HttpRequest, RequestBody

TYPE_CHECKING = False
if TYPE_CHECKING:
    from notifybot.client.spool import HandedOver, Spool

LONGEST_ABOUT = 80


@record(kw_only=True)
class Outgoing:
    """A message to send. `about`: a text for lists; `may_be_missing`: 404 is success, as for a resolve."""

    body: RequestBody
    client_id: str
    about: str
    path: str = "/api/ingest"
    wait_s: float | None = None
    may_be_missing: bool = False

    def request(self) -> HttpRequest:
        return HttpRequest("POST", self.path + ("" if self.wait_s is None else f"?wait={self.wait_s:g}"), self.body)

    def line(self) -> str:
        return " ".join(self.about[: 2 * LONGEST_ABOUT].split())[:LONGEST_ABOUT]


class Posting:
    """Messages to one daemon. `daemon` is the socket that the caller named, empty for the default ones."""

    def __init__(self, calls: Transport, *, daemon: str, spool: "Spool | None") -> None:
        self._calls = calls
        self._daemon = daemon
        self._spool = spool

    def post(self, message: Outgoing) -> Accepted:
        """Send a message. With a spool, raises Spooled if the daemon cannot take it now and it is kept."""
        try:
            if self._spool is not None:
                self._send_spooled(self._spool)
            answer = self._calls.call(message.request(), extra_s=message.wait_s or 0, survives_restart=True)
        except (NoAnswer, NotReady, Unreachable) as error:
            if self._spool is not None:
                number = self._spool.add(message, daemon=self._daemon, at=time.time())
                raise Spooled(number, error) from error
            if isinstance(error, NoAnswer):
                raise error.for_message(message.client_id) from error
            raise
        return read(Accepted, answer)

    def hand_over(self, spool: "Spool", *, retry_refused: bool = False) -> "HandedOver":
        return spool.hand_over(self._calls.attempt, daemon=self._daemon, retry_refused=retry_refused)

    def _send_spooled(self, spool: "Spool") -> None:
        """Hand over what waits; the message must not overtake it. Raises what keeps the daemon from taking it."""
        failure = self.hand_over(spool).stopped_by
        if failure is not None:
            raise failure
