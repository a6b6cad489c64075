"""Everything that knows python-telegram-bot's client side: bot, polling, update queue, sender, refusals, HTTP."""
