"""Server-sent events: who gets which, in which order, and what slow readers cost."""

import asyncio
import json
import threading

import httpx
import pytest

from demiurge.web.events import Events
from tests.demiurge.web.conftest import serving, wait_until


async def opened(events: Events):
    """Open a stream and read its first line."""
    stream = events.stream()
    assert (await anext(stream)).startswith("retry: ")
    return stream


def test_every_reader_hears_what_any_thread_publishes_in_its_order():
    async def listen():
        events = Events()
        streams = [await opened(events) for _ in range(3)]
        thread = threading.Thread(
            target=lambda: [events.publish("job", {"id": i}) for i in range(20)]
        )
        thread.start()
        thread.join()
        for stream in streams:
            heard = [await anext(stream) for _ in range(20)]
            assert heard == [f'event: job\ndata: {{"id": {i}}}\n\n' for i in range(20)]

    asyncio.run(listen())


def test_a_slow_reader_is_owed_only_the_newest_of_each_thing():
    async def listen():
        events = Events()
        stream = await opened(events)
        for done in range(10_000):
            events.publish("job", {"id": f"j{done % 3}", "done": done})
        events.publish("layout", {"name": "pca", "done": 1})
        await asyncio.sleep(0.01)
        assert len(events._readers[0]._waiting) == 4
        heard = [
            json.loads((await anext(stream)).splitlines()[1].removeprefix("data: "))
            for _ in range(4)
        ]
        assert [fact["done"] for fact in heard] == [9997, 9998, 9999, 1]

    asyncio.run(listen())


def test_a_reader_who_hears_nothing_is_told_that_the_server_is_there():
    async def listen():
        stream = Events().stream(heartbeat=0.01)
        heard = [await anext(stream) for _ in range(3)]
        assert heard[1:] == [": still here\n\n"] * 2

    asyncio.run(listen())


def test_closing_ends_streams_and_later_words_are_lost_on_nobody():
    async def listen():
        events = Events()
        stream = await opened(events)
        threading.Timer(0.05, events.close).start()
        assert [text async for text in stream] == []
        events.publish("job", {"id": 1})
        assert [text async for text in events.stream()] == ["retry: 2000\n\n"]
        assert events._readers == []

    asyncio.run(listen())


def test_readers_who_leave_are_forgotten():
    async def listen():
        events = Events()
        task = asyncio.create_task(anext_of(events))
        async with asyncio.timeout(30):
            while not events._readers:
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert events._readers == []

    async def anext_of(events):
        async for _ in events.stream():
            pass

    asyncio.run(listen())


def test_what_is_no_json_is_refused_where_it_is_published():
    with pytest.raises(ValueError, match="Out of range float values"):
        Events().publish("job", {"done": float("nan")})


def test_pages_hear_events_over_http_and_the_server_still_ends_at_once(workspace, caplog):
    heard = []

    def read(address: str) -> None:
        with httpx.stream("GET", f"{address}/events", timeout=10, trust_env=False) as response:
            heard.append(response.headers["content-type"])
            heard.extend(response.iter_lines())

    with serving(workspace) as address:
        thread = threading.Thread(target=read, args=(address,))
        thread.start()
        wait_until(lambda: len(heard) > 1)
        workspace.events.publish("plan", {"id": "a", "revision": 3})
        wait_until(lambda: 'data: {"id": "a", "revision": 3}' in heard)
    thread.join(30)
    assert "Cancel" not in caplog.text  # nobody had to be cut off
    assert heard[0].startswith("text/event-stream")
    assert "event: plan" in heard
