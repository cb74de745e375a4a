"""Many clients at once: each gets the answer of its own image, and what is too much is told to come again."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from core.model.predict import Pixels, Predictor
from core.serve.served import Served
from tests.processes import wait_until
from tests.serve.serving import (
    CLASSES,
    Answer,
    Slow,
    confidences,
    encode,
    make_predictor,
    make_served,
    paint,
    serving,
)

RED, LARGE = encode(paint("red")), encode(paint("red", 200))


def test_thirty_two_clients_at_once_get_the_answer_of_their_own_image_each_time(
    tmp_path: Path, predictor: Predictor
) -> None:
    images = [paint((7 * n, 255 - 7 * n, 40 * (n % 6))) for n in range(32)]
    wanted = [dict(zip(p.classes, p.confidences, strict=True)) for p in predictor.predict(images)]
    closest = min(
        max(abs(one[name] - other[name]) for name in CLASSES)
        for number, one in enumerate(wanted)
        for other in wanted[:number]
    )
    assert closest > 1e-3  # so that an answer of another image would show

    with serving(make_served(tmp_path, predictor)) as server, ThreadPoolExecutor(32) as pool:

        def ask(number: int) -> None:
            data = encode(images[number])
            for _ in range(5):
                (told,) = server.predict(data).json()["images"]
                assert confidences(told) == pytest.approx(wanted[number], abs=1e-5), number

        list(pool.map(ask, range(32)))
        metrics = server.read_metrics()
    assert metrics["weakspot_images_total"] == metrics["weakspot_batch_images_sum"] == 160
    assert metrics['weakspot_requests_total{path="/predict",code="200"}'] == 160


def test_images_of_several_requests_that_wait_for_the_network_are_answered_together(tmp_path: Path) -> None:
    slow = Slow()
    with serving(make_served(tmp_path, make_predictor(slow))) as server, ThreadPoolExecutor(11) as pool:
        first = pool.submit(server.predict, RED)
        assert slow.begun.wait(10)
        forms = [pool.submit(server.send_form, *[("a.png", RED)] * 4) for _ in range(10)]
        wait_until(lambda: server.read_metrics()["weakspot_images_waiting"] == 40, "all of them wait")
        slow.may.set()
        assert [one.result().status for one in (first, *forms)] == [200] * 11
        metrics = server.read_metrics()
    assert (metrics["weakspot_batch_images_count"], metrics["weakspot_batch_images_sum"]) == (3, 41)
    assert metrics['weakspot_batch_images_bucket{le="16"}'] == 2  # 1, 32 and 8 images


def test_a_lone_image_does_not_wait_for_others(tmp_path: Path) -> None:
    with serving(make_served(tmp_path), patience=20) as server:
        for _ in range(3):
            server.predict(RED)
        assert server.read_metrics()["weakspot_waiting_seconds_sum"] < 10


def test_two_hundred_clients_at_a_queue_of_eight_are_answered_or_told_to_come_again_and_none_hangs(
    tmp_path: Path,
) -> None:
    together = threading.Barrier(200)
    with serving(make_served(tmp_path), requests=8) as server, ThreadPoolExecutor(200) as pool:

        def ask(_: int) -> Answer:
            together.wait(30)
            return server.predict(RED)

        answers = list(pool.map(ask, range(200)))
        assert server.predict(RED).status == 200
        assert server.read_metrics()["weakspot_requests_inside"] == 0
    statuses = Counter(answer.status for answer in answers)
    assert set(statuses) <= {200, 503}
    assert statuses[200] >= 8
    for answer in answers:
        if answer.status == 503:
            assert answer.headers["retry-after"] == "1"
            assert "queue is full" in answer.json()["error"]


def test_a_full_queue_refuses_at_once_until_there_is_room_again(tmp_path: Path) -> None:
    slow = Slow()
    with (
        serving(make_served(tmp_path, make_predictor(slow)), requests=2) as server,
        ThreadPoolExecutor(2) as pool,
    ):
        inside = [pool.submit(server.predict, RED) for _ in range(2)]
        wait_until(lambda: server.read_metrics()["weakspot_requests_inside"] == 2, "both are in it")
        refused = server.predict(RED)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert "2 requests are in it" in refused.json()["error"]
        slow.may.set()
        assert [one.result().status for one in inside] == [200, 200]
        assert server.predict(RED).status == 200


def test_memory_is_bounded_however_many_large_images_come_at_once(tmp_path: Path) -> None:
    """Each takes 27 MB decoded: all at once they would take 540 MB."""
    large = encode(paint("red", 3000))
    seen, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            seen.append(psutil.Process().memory_info().rss)

    with serving(make_served(tmp_path), decoders=2) as server:
        assert server.predict(large).status == 200
        before = psutil.Process().memory_info().rss
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            answer = server.send_form(*[(f"{n}.png", large) for n in range(20)])
        finally:
            done.set()
            watcher.join()
    assert answer.status == 200
    assert (max(seen) - before) / 1e6 < 200


def test_large_images_are_read_one_at_a_time_and_small_ones_beside_each_other(tmp_path: Path) -> None:
    most, lock, inside = {"large": 0, "small": 0}, threading.Lock(), Counter[str]()

    class Watched(Served):
        def look(self, data: bytes) -> tuple[Pixels, ...]:
            kind = "large" if data == LARGE else "small"
            with lock:
                inside[kind] += 1
                most[kind] = max(most[kind], inside[kind])
            time.sleep(0.1)
            with lock:
                inside[kind] -= 1
            return super().look(data)

    with serving(make_served(tmp_path, kind=Watched), decoders=4, large=20_000) as server:
        for data in (LARGE, RED):
            assert server.send_form(*[("a.png", data)] * 8).status == 200
    assert (most["large"], most["small"]) == (1, 4)


def test_while_large_images_wait_for_one_another_a_small_one_is_answered(tmp_path: Path) -> None:
    may = threading.Event()

    class Held(Served):
        def look(self, data: bytes) -> tuple[Pixels, ...]:
            if data == LARGE:
                may.wait(20)
            return super().look(data)

    with (
        serving(make_served(tmp_path, kind=Held), decoders=2, large=20_000, wait=1) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        late = pool.submit(server.send_form, *[("a.png", LARGE)] * 4)
        wait_until(lambda: server.read_metrics()["weakspot_requests_inside"] == 1, "they have come")
        assert server.predict(RED).status == 200
        assert late.result().status == 504
        assert server.predict(RED).status == 200
        may.set()
        assert server.predict(LARGE).status == 200
