"""What `/metrics` says about rooms, lobbies, chats, and the media workers."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from core import messages
from sfu.metrics import LIMITS_US, Metrics
from signaling.worker_figures import WorkerFigures
from tests.signaling.conftest import World
from tests.signaling.room_people import enter, guest, knock, person


async def _metrics(world: World) -> dict[tuple[str, str], float]:
    async with world.session.get("/metrics") as response:
        assert response.status == 200
        text = await response.text()
    return {
        (sample.name, ",".join(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_rooms_lobbies_pauses_and_chats_are_counted(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    await knock(world, await guest(world))
    await host.send(messages.Chat(ref="1", text="hello"))
    await host.next(messages.ChatAdded)
    await host.send(messages.SetPaused(paused=True))
    await host.next(messages.PausedChanged)
    found = await _metrics(world)
    assert found["teleconsult_rooms", ""] == 1
    assert found["teleconsult_rooms_paused", ""] == 1
    assert found["teleconsult_lobby", ""] == 1
    assert found["teleconsult_chat_messages_total", ""] == 1
    assert found["teleconsult_participants", "site"] == 1
    assert found["teleconsult_participants", "specialist"] == 0, "who waits is not in the room"


async def test_a_worker_s_figures_are_shown_and_its_absence_hides_nothing_else(world: World) -> None:
    assert (await _metrics(world))["teleconsult_worker_subscribers", "sfu-1"] == 0
    await world.worker.crash()
    assert ("teleconsult_workers_connected", "") in await _metrics(world)


def test_the_time_inside_is_a_histogram_with_every_packet_in_it() -> None:
    metrics, figures = Metrics(), WorkerFigures()
    metrics.counters.packets_in = 7
    for value_us in (50, 900, 2_000_000):
        metrics.inside.add(value_us)
    sessions = [{"direction": "subscribe"}, {"direction": "subscribe"}, {"direction": "publish"}]
    figures.figures = {"sfu-1": {**metrics.snapshot(), "sessions": sessions}}
    samples = {
        (sample.name, sample.labels.get("le", "")): sample.value
        for family in figures.collect()
        for sample in family.samples
    }
    assert samples["teleconsult_worker_packets_in_total", ""] == 7
    assert samples["teleconsult_worker_subscribers", ""] == 2
    assert samples["teleconsult_worker_inside_seconds_bucket", "0.0001"] == 1
    assert samples["teleconsult_worker_inside_seconds_bucket", "0.001"] == 2
    assert samples["teleconsult_worker_inside_seconds_bucket", "+Inf"] == 3
    assert len(metrics.snapshot()["inside_us"]["at_most"]) == len(LIMITS_US)
