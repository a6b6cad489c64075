"""Telegram handlers: one update, one core call, one short reply."""

from typing import Any

from telegram import Update
from telegram.ext import (
    Application,
    CallbackQueryHandler,
    ChatMemberHandler,
    CommandHandler,
    MessageHandler,
    TypeHandler,
    filters,
)

from notifybot.handlers import button_press, commands, errors, membership, oncall, settings, start


def register(application: Application[Any, Any, Any, Any, Any, Any]) -> None:
    """Register the handlers: the first that matches handles an update, the last one ignores the rest."""
    private = filters.ChatType.PRIVATE
    application.add_handlers(
        [
            CallbackQueryHandler(button_press.press),
            CommandHandler("start", start.start, filters=private),
            CommandHandler("start", start.start_in_group, filters=filters.ChatType.GROUPS),
            CommandHandler("help", commands.help_),
            CommandHandler("open", commands.open_),
            CommandHandler("oncall", oncall.show),
            CommandHandler("status", commands.status, filters=private),
            CommandHandler("settings", settings.show, filters=private),
            CommandHandler("mute", settings.mute, filters=private),
            CommandHandler("unlink", commands.unlink, filters=private),
            CommandHandler(["status", "settings", "mute", "unlink"], commands.only_in_private),
            MessageHandler(filters.COMMAND & private, commands.unknown),
            MessageHandler(filters.StatusUpdate.MIGRATE, membership.moved),
            MessageHandler(filters.StatusUpdate.FORUM_TOPIC_REOPENED, membership.topic_reopened),
            ChatMemberHandler(membership.membership, ChatMemberHandler.MY_CHAT_MEMBER),
            MessageHandler(filters.TEXT & private, commands.not_a_command),
            TypeHandler(Update, commands.ignore),
        ]
    )
    application.add_error_handler(errors.on_error)
