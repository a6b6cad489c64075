"""A logging handler that sends records as messages: `from notifybot.client.log_handler import NotifybotHandler`.

A thread of its own sends; the thread that logs only puts a record into a bounded queue, and never waits.
"""

import logging
import queue
import sys
import threading

from notifybot.client import Client, ClientError

MOST_WAITING = 1000
CLOSE_WITHIN_S = 5.0


class NotifybotHandler(logging.Handler):
    """Sends each record of at least `level` to the recipients `to`; `source` as in Client.send.

    Records that find the queue full, or that the daemon refuses, are dropped; the next message says how many, and
    close() says so on stderr. close() waits at most CLOSE_WITHIN_S for what is queued.
    """

    def __init__(
        self,
        to: str | list[str],
        *,
        client: Client | None = None,
        level: int = logging.ERROR,
        source: str | None = None,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        super().__init__(level)
        self._to = to
        self._client = client or Client()
        self._source = source
        self._waiting: queue.Queue[str | None] = queue.Queue(most_waiting)
        self._worker: threading.Thread | None = None
        self._count = threading.Lock()
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        if threading.current_thread() is self._worker:
            return  # what sending itself logs would be sent again, without end
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - a wrong format string must not break the program that logs
            self.handleError(record)
            return
        self._start()
        try:
            self._waiting.put_nowait(text)
        except queue.Full:
            self._drop(1)

    def close(self) -> None:
        worker = self._worker
        if worker is not None and worker.is_alive():
            try:
                self._waiting.put(None, timeout=CLOSE_WITHIN_S)
                worker.join(CLOSE_WITHIN_S)
            except queue.Full:
                pass
        lost = self._take_dropped() + sum(text is not None for text in list(self._waiting.queue))
        if lost:
            print(f"notifybot: {_dropped(lost)}", file=sys.stderr)
        super().close()

    def _start(self) -> None:
        """Start the thread with the first record, and again in a forked child, which has none."""
        if self._worker is None or not self._worker.is_alive():
            self._worker = threading.Thread(target=self._send_all, name="notifybot-log", daemon=True)
            self._worker.start()

    def _send_all(self) -> None:
        while (text := self._waiting.get()) is not None:
            lost = self._take_dropped()
            try:
                self._client.send(f"{text}\n({_dropped(lost)})" if lost else text, to=self._to, source=self._source)
            except ClientError:
                self._drop(lost + 1)

    def _drop(self, count: int) -> None:
        with self._count:
            self._dropped += count

    def _take_dropped(self) -> int:
        with self._count:
            dropped, self._dropped = self._dropped, 0
        return dropped


def _dropped(count: int) -> str:
    return "1 log record was dropped" if count == 1 else f"{count} log records were dropped"
