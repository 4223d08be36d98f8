"""Training of a skill's network: deterministic, stopped early, continued after it was killed, in several processes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coachworks.errors import CoachworksError
from coachworks.store import FolderStore
from components.train.fine_tune import training
from components.train.fine_tune.checkpoint import Checkpoint
from components.train.fine_tune.job import run_job
from components.train.fine_tune.training import Tuned

FOLDER = "checkpoints/" + "d" * 64


def forget(store: FolderStore) -> None:
    Checkpoint(store, "d" * 64).remove()


def assert_equal(one: Tuned, other: Tuned) -> None:
    assert (one.epoch, one.tried) == (other.epoch, other.tried)
    np.testing.assert_array_equal(one.logits, other.logits)
    assert one.parameters.keys() == other.parameters.keys()
    for name, values in one.parameters.items():
        np.testing.assert_array_equal(values, other.parameters[name])


def test_training_beats_the_linear_head_that_it_starts_from(job_folder: Callable[..., Path]) -> None:
    tuned = run_job(job_folder("job", epochs=6))
    assert tuned.tried[0]["epochs"] == 0
    assert tuned.epoch > 0
    assert tuned.tried[tuned.epoch]["balanced_accuracy"] > tuned.tried[0]["balanced_accuracy"]
    assert tuned.tried[tuned.epoch]["log_loss"] < tuned.tried[0]["log_loss"] - 0.3
    assert tuned.tried[tuned.epoch]["log_loss"] == min(each["log_loss"] for each in tuned.tried)


def test_a_killed_training_goes_on_after_its_last_whole_epoch_to_the_same_result(
    job_folder: Callable[..., Path], store: FolderStore
) -> None:
    whole = run_job(job_folder("whole"))
    forget(store)
    done = 0

    def killed() -> None:
        nonlocal done
        done += 1
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(job_folder("killed"), advance=killed)
    advanced: list[int] = []
    assert_equal(run_job(job_folder("continued"), advance=lambda: advanced.append(1)), whole)
    assert len(advanced) == len(whole.tried) - 1


def test_a_damaged_checkpoint_is_as_none(job_folder: Callable[..., Path], store: FolderStore) -> None:
    whole = run_job(job_folder("whole", epochs=2))
    (path,) = (store.root / FOLDER).iterdir()  # the one after the first epoch is gone
    path.write_bytes(path.read_bytes()[:-9] + b"otherwise")
    advanced: list[int] = []
    assert_equal(run_job(job_folder("again", epochs=2), advance=lambda: advanced.append(1)), whole)
    assert len(list((store.root / FOLDER).iterdir())) == 1


def test_it_stops_after_epochs_that_are_no_better_and_keeps_the_best(
    job_folder: Callable[..., Path],
) -> None:
    tuned = run_job(job_folder("job", epochs=12, learning_rate=10.0))  # every step makes it worse
    assert tuned.epoch + training.PATIENCE == len(tuned.tried) - 1 < 12


def test_without_validation_photos_the_last_epoch_is_kept(job_folder: Callable[..., Path]) -> None:
    none: dict[str, Any] = {
        "validation_rows": np.empty(0, np.int64),
        "validation_offsets": np.empty((0, 3), np.float32),
        "validation_answers": np.empty(0, np.int64),
    }
    tuned = run_job(job_folder("job", epochs=2, **none))
    assert tuned.epoch == 2
    assert tuned.logits.shape == (0, 3)


def test_photos_and_views_of_weight_zero_are_not_learnt_from(
    job_folder: Callable[..., Path], store: FolderStore
) -> None:
    weights = np.ones((2, 60), np.float32)
    weights[:, ::3] = 0
    weights[1] = 0
    one = run_job(job_folder("one", epochs=1, weights=weights))
    forget(store)
    answers = np.random.default_rng(4).integers(0, 3, (2, 60))
    used = weights > 0
    truth = np.load(job_folder("truth") / "answers.npy")
    other = run_job(job_folder("other", epochs=1, weights=weights, answers=np.where(used, truth, answers)))
    assert_equal(one, other)


@pytest.mark.slow
def test_two_processes_train_the_same_network_as_one(job_folder: Callable[..., Path], store: FolderStore) -> None:
    one = run_job(job_folder("one", epochs=2, digest="1" * 64))
    two = run_job(job_folder("two", epochs=2, digest="2" * 64), processes=2)
    for single, several in zip(one.tried, two.tried, strict=True):
        assert several["log_loss"] == pytest.approx(single["log_loss"], abs=1e-4)
    for name, values in one.parameters.items():
        np.testing.assert_allclose(two.parameters[name], values, atol=1e-4)


@pytest.mark.slow
def test_processes_that_fail_are_reported_with_their_status(job_folder: Callable[..., Path]) -> None:
    folder = job_folder("job")
    (folder / "rows.npy").unlink()
    with pytest.raises(CoachworksError, match="fine-tuning in 2 processes ended with status 1; its error is above"):
        run_job(folder, processes=2)
