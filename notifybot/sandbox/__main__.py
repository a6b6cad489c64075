"""Run the sandbox by itself: `python -m notifybot.sandbox [--port 0] [--limits on|off]` prints its URL."""

import argparse
import asyncio
import signal

from notifybot.sandbox import EXAMPLE_TOKEN, Sandbox, serving


def main() -> None:
    options = _parser().parse_args()
    sandbox = Sandbox(token=options.token, limits=options.limits == "on")
    asyncio.run(_serve(sandbox, options.port))


async def _serve(sandbox: Sandbox, port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(sandbox, port=port) as url:
        print(url, flush=True)
        await stop.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m notifybot.sandbox", description="A local Telegram to try bots on.")
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--limits", choices=("on", "off"), default="on", help="enforce Telegram's rate limits")
    parser.add_argument("--token", default=EXAMPLE_TOKEN, help="the token of the sandbox's bot")
    return parser


if __name__ == "__main__":
    main()
