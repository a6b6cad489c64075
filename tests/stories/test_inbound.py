"""Alertmanager's group in Telegram: one post that counts, changes and closes."""

from tests.inbound.documents import alert, alertmanager
from tests.stories.conftest import MakeWorld


async def test_a_group_of_alerts_is_one_post_until_it_is_resolved(another: MakeWorld) -> None:
    world = await another()
    ops = world.group("Ops")
    world.sets(inbound={"prometheus": {"format": "alertmanager", "to": [str(ops.id)]}})
    await world.restarts()

    await world.ask("POST", "/in/prometheus", alertmanager(alert(1)))
    post = await ops.receives("/var is full on db1")
    assert post.text.startswith("DiskFull\n")
    assert "Source" in str(post.buttons)
    assert "Silence" in str(post.buttons)

    await world.ask("POST", "/in/prometheus", alertmanager(alert(1), alert(2)))
    await post.becomes("DiskFull (2 of 2 alerts)", "- /var is full on db2 – instance: db2", "2 times")
    await world.ask("POST", "/in/prometheus", alertmanager(alert(1), alert(2), status="resolved"))
    await post.becomes("Resolved at", buttons=["Source", "Silence"])
    assert len(ops.texts) == 1
