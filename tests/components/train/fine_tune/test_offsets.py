"""Offsets: the network begins with the answers of the linear head that has not seen the photo."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from small_fleets import small_fleet

from coachworks.errors import DataError
from coachworks.feature_groups import ACTIVATION, LAST, MEAN
from components.train.config import TrainConfig
from components.train.fine_tune.candidate import FineTuning
from components.train.fine_tune.data import write_activations
from components.train.fine_tune.offsets import cross_fit, offsets_of
from components.train.fine_tune.start import start_from
from components.train.linear import fit

SIZES = {LAST: 6, MEAN: 9}


def reader(features: Any) -> Any:
    """Read columns of a table (N, 15); photo ids are row numbers."""

    def read(photo_ids: list[str], view: int, group: str) -> Any:
        columns = slice(0, 6) if group == LAST else slice(6, 15)
        return features[[int(photo_id) for photo_id in photo_ids], columns]

    return read


def test_logits_begin_as_those_of_the_head_without_the_photos_fold(draw_points: Any, make_lane: Any) -> None:
    points, answers = draw_points(200, 15, 3, spread=3.0)
    lane, reduction = make_lane(points, answers, {"three": ("a", "b", "c")})
    whole = fit(lane, reduction, TrainConfig())["three"]
    heads, folds = cross_fit(lane, "three", reduction, TrainConfig(), whole.parameters)
    ids = [str(row) for row in range(len(lane.train))]
    offsets = offsets_of(reader(points), ids, 0, SIZES, whole.arrays, heads, folds)
    start = start_from(whole.arrays, (LAST, MEAN), SIZES)
    logits = offsets + points[:150, :6] @ start.weight.T + start.bias
    for row in range(len(ids)):
        head = heads[folds[row]] if folds[row] >= 0 else whole.arrays
        np.testing.assert_allclose(logits[row], points[row] @ head["weight"].T + head["bias"], atol=1e-3)
    known = (logits.argmax(1) == lane.answers[:, 0]).mean()
    learnt = (points[:150] @ whole.arrays["weight"].T + whole.arrays["bias"]).argmax(1) == lane.answers[:, 0]
    assert known < learnt.mean()  # it makes the mistakes of new photos


def test_a_photo_that_trains_nothing_gets_what_the_frozen_part_adds(draw_points: Any, make_lane: Any) -> None:
    points, answers = draw_points(100, 15, 3)
    lane, reduction = make_lane(points, answers, {"three": ("a", "b", "c")})
    head = fit(lane, reduction, TrainConfig())["three"].arrays
    start = start_from(head, (LAST, MEAN), SIZES)
    got = offsets_of(reader(points), ["80", "99"], 0, SIZES, head)
    np.testing.assert_allclose(got, points[[80, 99], 6:] @ start.frozen_weight.T, atol=1e-5)
    assert offsets_of(reader(points), [], 0, SIZES, head).shape == (0, 3)


def test_activations_are_written_as_the_cache_holds_them(tmp_path: Any) -> None:
    table = np.random.default_rng(0).normal(size=(2500, 3)).astype(np.float32)
    table[7] = 1e6  # larger than a half-precision number
    ids = [str(row) for row in range(2500)]
    write_activations(lambda names, *_: table[[int(name) for name in names]], ids, 0, 3, tmp_path / "a.npy")
    got = np.load(tmp_path / "a.npy", mmap_mode="r")
    np.testing.assert_array_equal(np.delete(got, 7, 0), np.delete(table, 7, 0).astype(np.float16))
    assert (got[7] == np.finfo(np.float16).max).all()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({LAST: 1280}, r"needs activations at the backbone's cut; embed kept none, .*run --from embed"),
        (
            {LAST: 1280, ACTIVATION: 9408},
            r"needs the backbone of the features, other; the fleet file names efficientnet-lite0, .*run --from embed",
        ),
    ],
    ids=["none-kept", "other-backbone"],
)
def test_features_that_do_not_fit_are_refused_with_a_way_out(sizes: dict[str, int], message: str) -> None:
    report = SimpleNamespace(group_sizes=sizes, backbone="other", backbone_digest="b" * 64)
    embed = SimpleNamespace(report=report, store=SimpleNamespace(uri="/store"))
    fleet = small_fleet({"shape": {"labels": ["disc", "square"]}})
    nothing = cast("Any", None)
    tuning = FineTuning(fleet, cast("Any", embed), nothing, nothing, nothing, [])
    with pytest.raises(DataError, match=message):
        tuning.fitter((LAST,))(nothing, nothing, nothing, None)
