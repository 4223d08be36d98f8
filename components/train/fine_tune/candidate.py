"""Candidate `fine-tune`: for each skill that asks for it, a network trained from its linear head."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from coachworks.code_digest import code_digest
from coachworks.digests import digest_bytes, digest_json
from coachworks.errors import DataError
from coachworks.feature_groups import ACTIVATION, total
from coachworks.fleet.model import Fleet
from coachworks.progress import Progress
from coachworks.result import Result
from coachworks.wording import pipeline_command
from components.embed.backbones import find_backbone
from components.embed.choice import named_backbone
from components.embed.framing import framed_backbone
from components.embed.report import EmbedReport
from components.train import linear
from components.train.candidate import Candidate, Chosen
from components.train.competition import Fit
from components.train.config import TrainConfig
from components.train.fine_tune.checkpoint import Checkpoint
from components.train.fine_tune.data import TuningData, save_data, write_activations
from components.train.fine_tune.export import head_arrays
from components.train.fine_tune.job import Job, run_job, write_job
from components.train.fine_tune.network import build_network
from components.train.fine_tune.offsets import Head, cross_fit, offsets_of
from components.train.fine_tune.start import Start, start_from
from components.train.fine_tune.training import BATCH, EPOCHS, LEARNING_RATE, WEIGHT_DECAY, Tuned
from components.train.lane import UNLABELLED, Lane
from components.train.lane_photos import LanePhotos
from components.train.reading import Read
from components.train.reduction import Reduction
from components.train.torch_threads import cores_for

Array = NDArray[Any]
Offsets = Callable[..., NDArray[np.float32]]

_MANY = 1 << 40  # multiplications: convolutions of a batch keep all cores busy


@dataclass(eq=False)
class FineTuning:
    """Fine-tuning for the skills of a lane; a context, in which the files of their activations exist.

    Attributes:
        fleet: The fleet.
        embed: The result of embed.
        photos: The photos of the lane.
        read: Reads features.
        progress: Receives progress updates.
        checkpoints: Receives the checkpoints; they may be removed once the result is published.
    """

    fleet: Fleet
    embed: Result[EmbedReport]
    photos: LanePhotos
    read: Read
    progress: Progress
    checkpoints: list[Checkpoint]
    _tables: list[Path] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def fitter(self, groups: tuple[str, ...]) -> Fit:
        """Return the function that fits the candidate for skills whose heads read `groups`."""

        def fit(lane: Lane, reduction: Reduction, config: TrainConfig, _: Chosen | None = None) -> dict[str, Candidate]:
            self._prepare()
            heads = linear.fit(lane, reduction, config)
            sizes = {group: self.embed.report.group_sizes[group] for group in groups}
            candidates = {}
            for skill, head in heads.items():
                without, folds = cross_fit(lane, skill, reduction, config, head.parameters)
                offsets = partial(offsets_of, self.read, sizes=sizes, whole=head.arrays)
                data = self._data(lane, lane.skills.index(skill), offsets, without, folds)
                candidates[skill] = self._tuned(skill, data, start_from(head.arrays, groups, sizes), config)
            return candidates

        return fit

    def _prepare(self) -> None:
        """Write the activations of the lane's photos, once.

        Raises:
            DataError: embed kept no activations, or the fleet file names another backbone now.
        """
        report, again = self.embed.report, pipeline_command(self.embed.store.uri, "--from embed")
        if ACTIVATION not in report.group_sizes:
            raise DataError(
                "the candidate fine-tune needs activations at the backbone's cut; embed kept none, because no skill "
                f"asked for it then. {again} keeps them."
            )
        source = framed_backbone(named_backbone(self.embed.store, self.fleet), self.fleet)
        if source.digest != report.backbone_digest:
            raise DataError(
                f"the candidate fine-tune needs the backbone of the features, {report.backbone}; the fleet file names "
                f"{source.name}, which is another. {again} computes the features anew."
            )
        if self._tables:
            return
        folder = self._stack.enter_context(self.embed.store.scratch())
        views = [("validation", self.photos.validation, 0)]
        views += [(f"view-{view}", self.photos.train, view) for view in range(report.views + 1)]
        for name, photo_ids, view in views:
            path = folder / f"{name}.npy"
            write_activations(self.read, photo_ids, view, report.group_sizes[ACTIVATION], path)
            self._tables.append(path)

    def _tuned(self, skill: str, data: TuningData, start: Start, config: TrainConfig) -> Candidate:
        report, backbone = self.embed.report, named_backbone(self.embed.store, self.fleet)
        with self.embed.store.scratch() as folder:
            save_data(data, self._tables[1:], self._tables[0], folder)
            job = Job(
                backbone=backbone,
                store=self.embed.store.uri,
                digest=self._digest(data, start, config),
                seed=config.seed,
                frozen=start.frozen,
            )
            write_job(job, start, folder)
            self.checkpoints.append(job.checkpoint)
            with self.progress.task(f"fine-tune {skill}", total=EPOCHS, unit="epochs") as task, cores_for(_MANY):
                tuned = run_job(folder, advance=task.advance)
        network: Any = build_network(find_backbone(backbone), start)
        network.load_state_dict({**network.state_dict(), **_tensors(tuned)})
        dimensions = total(report.group_sizes, start.groups)
        logits = np.zeros((len(self.photos.validation), len(start.bias)), np.float32)
        logits[data.validation_rows] = tuned.logits
        return Candidate(
            arrays=head_arrays(network, dimensions),
            logits=logits,
            parameters={
                "epochs": tuned.epoch,
                "dimensions": dimensions,
                "trained_parameters": sum(values.size for values in tuned.parameters.values()),
                "views": report.views,
                "batch": BATCH,
                "learning_rate": LEARNING_RATE,
                "weight_decay": WEIGHT_DECAY,
            },
            tried=tuned.tried,
            groups=start.groups,
        )

    def _data(self, lane: Lane, column: int, offsets: Offsets, heads: list[Head], folds: Array) -> TuningData:
        photos = self.photos
        weights = np.stack([table[:, column] for table in lane.table_weights()])
        rows = np.flatnonzero(weights.any(0))
        known = np.flatnonzero(lane.validation_answers[:, column] != UNLABELLED)
        train, tested = [photos.train[row] for row in rows], [photos.validation[row] for row in known]
        return TuningData(
            activations=tuple(np.load(path, mmap_mode="r") for path in self._tables[1:]),
            rows=rows,
            offsets=np.stack([offsets(train, view, heads=heads, folds=folds[rows]) for view in range(len(weights))]),
            answers=np.stack([table[rows, column] for table in lane.table_answers()]),
            weights=weights[:, rows] * np.float32(len(rows)),
            validation=np.load(self._tables[0], mmap_mode="r"),
            validation_rows=known,
            validation_offsets=offsets(tested, 0),
            validation_answers=lane.validation_answers[known, column],
        )

    def _digest(self, data: TuningData, start: Start, config: TrainConfig) -> str:
        report, photos = self.embed.report, self.photos
        fixed: tuple[Array, ...] = (start.weight, start.bias, data.validation_answers, data.validation_offsets)
        tables = (*fixed, data.answers, data.weights, data.offsets)
        return digest_json(
            {
                "code": code_digest(__name__),
                "features": [report.space, report.view_digest],
                "photos": [photos.train[row] for row in data.rows],
                "validation": [photos.validation[row] for row in data.validation_rows],
                "tables": [digest_bytes(np.ascontiguousarray(table).tobytes()) for table in tables],
                "seed": config.seed,
            }
        )


def _tensors(tuned: Tuned) -> dict[str, Any]:
    import torch

    return {name: torch.from_numpy(values) for name, values in tuned.parameters.items()}
