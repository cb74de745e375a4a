"""Places on a plane: what is alike stays together, the same each time, and it can be stopped."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from core.landscape.projection import measure_kept, project, reduce_rows, scale_rows


def plant_clusters(*, each: int = 40, clusters: int = 4, width: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Return rows (N, width) of length 1 in clusters, and the cluster of each row."""
    random = np.random.default_rng(0)
    middles = random.normal(0, 1, (clusters, width))
    members = np.repeat(np.arange(clusters), each)
    return scale_rows(middles[members] + random.normal(0, 0.2, (len(members), width))), members


def test_planted_clusters_stay_together_and_apart() -> None:
    rows, members = plant_clusters()
    places = project(reduce_rows(rows))
    assert places is not None
    nearest = NearestNeighbors(n_neighbors=6).fit(places).kneighbors(return_distance=False)
    assert (members[nearest] == members[:, None]).all()
    assert measure_kept(rows, places) > 0.4


def test_the_same_seed_gives_the_same_map() -> None:
    rows, _ = plant_clusters(each=20)
    one, two = project(rows, seed=3), project(rows, seed=3)
    assert one is not None
    assert two is not None
    assert np.array_equal(one, two)


def test_a_map_fills_a_square_with_one_scale_for_both_axes() -> None:
    rows, _ = plant_clusters(each=20)
    places = project(rows)
    assert places is not None
    assert places.dtype == np.float32
    low, high = places.min(axis=0), places.max(axis=0)
    assert (high - low).max() == pytest.approx(1)
    assert ((low + high) / 2).tolist() == pytest.approx([0.5, 0.5], abs=1e-6)


def test_it_counts_its_steps_and_ends_when_it_is_told_to() -> None:
    rows, _ = plant_clusters(each=20)
    calls: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> bool:
        calls.append((done, total))
        return len(calls) < 3

    assert project(rows, progress=progress) is None
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert len(calls) == 3
    assert calls[-1][0] < calls[-1][1]


@pytest.mark.parametrize("count", [1, 2, 9, 10, 12])
def test_few_images_have_places_too(count: int) -> None:
    rows, _ = plant_clusters(each=count, clusters=1)
    places = project(reduce_rows(rows))
    assert places is not None
    assert places.shape == (count, 2)
    assert np.isfinite(places).all()


def test_many_columns_become_fifty() -> None:
    rows, _ = plant_clusters(each=20)
    assert reduce_rows(rows).shape == (80, 50)
    assert reduce_rows(rows[:50]).shape == (50, 64)


def test_what_is_kept_is_all_of_a_plane_and_little_of_chance() -> None:
    random = np.random.default_rng(0)
    plane = random.normal(0, 1, (300, 2)).astype(np.float32)
    assert measure_kept(plane, plane) == 1
    assert measure_kept(plane, random.normal(0, 1, (300, 2)).astype(np.float32)) < 0.15
    assert np.isnan(measure_kept(plane[:5], plane[:5]))


def test_a_row_of_nothing_stays_nothing() -> None:
    assert scale_rows(np.zeros((2, 3))).tolist() == [[0, 0, 0], [0, 0, 0]]
