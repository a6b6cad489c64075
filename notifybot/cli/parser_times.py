"""The words of the commands about what happens at its time: schedules, who is on call, jobs, and events."""

from notifybot.cli.parser_send import add_alerting, add_data, add_when
from notifybot.cli.tree import Commands, Parser, add_id, add_ids, add_json


def add_times(commands: Commands) -> None:
    _add_event(commands)
    _add_schedules(commands.group("schedules", "look at messages that repeat, and change when they come"))
    _add_on_call(commands.group("oncall", "see who is on call, and let somebody else take over"))
    _add_jobs(commands.group("jobs", "see how the daemon's timed jobs do, and run one now"))


def _add_event(commands: Commands) -> None:
    event = commands.add(
        "event",
        "tell of an event, in the words of a template",
        epilog="Example: notifybot event post_success --to ops --data title='Weekly report' --data duration=12s",
    )
    event.add_argument(
        "name", metavar="NAME", help="post_success, post_failure, automation_executed, or a template's name"
    )
    event.add_argument(
        "--to",
        metavar="R",
        action="append",
        default=[],
        help="for whom, as of `send`; repeatable (default: you)",
    )
    add_data(event, "what the template is rendered with, an object")
    event.add_argument("--title", metavar="T", help="a title of its own, in place of the template's")
    event.add_argument("--source", metavar="LABEL", help="where it comes from (default: your account)")
    add_alerting(event, can_resolve=False)
    add_when(event)
    event.add_argument("--client-id", metavar="ID", help="your own name for it: sent again, it is not doubled")
    add_json(event)


def _add_schedules(schedules: Commands) -> None:
    add_json(schedules.add("list", "show what repeats, and when it comes next"))
    add_json(add_id(schedules.add("show", "show all that is known of one, with its next times")))
    add_json(add_ids(schedules.add("pause", "send nothing until it is resumed")))
    add_json(add_ids(schedules.add("resume", "go on with what was paused")))
    add_json(add_ids(schedules.add("cancel", "end it, with the message that waits")))
    change = add_id(schedules.add("change", "let it come at other times from now on"))
    change.add_argument("--every", metavar="HOW", help="as of `send`: '0 9 * * 1-5', @daily, 'mon 9:00', or 15m")
    change.add_argument("--time-zone", metavar="Z", help="in which that is meant (default: as before)")
    add_json(change)


def _add_on_call(on_call: Commands) -> None:
    show = on_call.add("show", "show who is on call, and until when")
    show.add_argument("rotation", nargs="?", metavar="ROTATION", help="only this one (default: all)")
    add_json(show)
    override = on_call.add(
        "override",
        "put somebody else on call for a while",
        epilog="Example: notifybot oncall override ops bob --for 2h",
    )
    override.add_argument("rotation", metavar="ROTATION", help="the rotation, by its name in the config")
    override.add_argument("member", metavar="MEMBER", help="who takes over, as the config would name them")
    override.add_argument("--from", dest="begins", metavar="WHEN", help="from then on (default: now)")
    _add_end(override)
    add_json(override)
    add_json(add_ids(on_call.add("cancel", "end overrides before their time")))


def _add_end(override: Parser) -> None:
    how_long = override.add_mutually_exclusive_group(required=True)
    how_long.add_argument("--for", dest="span", metavar="SPAN", help="for so long: 2h, 1d")
    how_long.add_argument(
        "--until", metavar="WHEN", help="18:30, 'tomorrow 9:00', 'mon 9:00', or hand-over: the next one"
    )


def _add_jobs(jobs: Commands) -> None:
    add_json(jobs.add("list", "show all jobs: when each runs, how long it takes, how often it succeeds"))
    add_json(_add_name(jobs.add("show", "show one job with its latest runs, and what it put off")))
    add_json(_add_name(jobs.add("trigger", "run a job once, now")))


def _add_name(command: Parser) -> Parser:
    command.add_argument("name", metavar="NAME", help="as `notifybot jobs` lists it")
    return command
