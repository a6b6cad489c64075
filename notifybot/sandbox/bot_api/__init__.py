"""The Bot API of the sandbox: methods, checks, webhooks, polling, over HTTP."""
