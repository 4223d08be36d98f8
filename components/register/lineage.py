"""Lineage of a skill's evaluation: the results of the steps before it."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from coachworks import __version__
from coachworks.digests import digest_file, digest_json
from coachworks.errors import DamagedError
from coachworks.fleet.model import Fleet
from coachworks.fleet.skill import Skill
from coachworks.result import Report, Result
from coachworks.results import ancestors, typed
from coachworks.store import Store
from coachworks.tracking import is_of_this_machine
from coachworks.tracking.registry import earlier_model_name, model_name
from components.augment.report import AugmentReport
from components.embed.report import EmbedReport
from components.evaluate.report import EvaluateReport
from components.evaluate.report import SkillReport as Evaluated
from components.ingest.report import IngestReport
from components.split.report import SplitReport
from components.train.report import SkillReport as Trained
from components.train.report import TrainReport

PIPELINE_RUN = "coachworks.pipeline_run"  # tag of a run or version: page of its pipeline run
_RUN_OF_KFP = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # runs on one machine have names
R = TypeVar("R", bound=Report)


@dataclass(frozen=True)
class Lineage:
    """The chain of results that ends in one evaluation.

    Attributes:
        fleet: The fleet.
        store: Store of the results.
        evaluate: The result of evaluate.
        run: Id of the pipeline run, or None.
    """

    fleet: Fleet
    store: Store
    evaluate: Result[EvaluateReport]
    run: str | None

    def result(self, report: type[R]) -> Result[R]:
        """Return the result of an earlier step, by the class of its report."""
        return typed(self._results[report.STEP], report)

    @cached_property
    def _results(self) -> dict[str, Result[Any]]:
        return {result.step: result for result in ancestors(self.store, self.evaluate)}

    def compare(self, records: "Sequence[SkillRecord]") -> None:
        """Compare all that is registered of skills with its digests: called before anything reaches the registry.

        Raises:
            DamagedError: a file of a result, or a head, is not what was written.
        """
        for result in (self.evaluate, self.result(SplitReport), self.result(AugmentReport)):
            _ = result.path  # the store compares every file of a tree that it hands out
        for record in records:
            if record.evaluated.head_digest is not None:
                _ = record.head_file

    @property
    def pipeline_page(self) -> str | None:
        """Page of the pipeline run in the dashboard of Kubeflow Pipelines, if the fleet file has its shared address."""
        dashboard = self.fleet.spec.cluster.dashboard
        if dashboard is None or is_of_this_machine(dashboard) or not self.runs_on_cluster:
            return None
        return f"{dashboard.rstrip('/')}/#/runs/details/{self.run}"

    @property
    def runs_on_cluster(self) -> bool:
        """True if the pipeline run is one of Kubeflow Pipelines."""
        return self.run is not None and _RUN_OF_KFP.fullmatch(self.run) is not None

    @cached_property
    def commit(self) -> str | None:
        """Commit of the Git repository that contains the store, usually that of the fleet file; None without one."""
        git, folder = shutil.which("git"), Path(self.store.uri)
        if git is None or not folder.is_dir():
            return None
        process = subprocess.run(  # noqa: S603 — no shell, no input from outside
            [git, "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=False
        )
        return process.stdout.strip() or None if process.returncode == 0 else None

    def skill(self, name: str) -> "SkillRecord":
        """Return the part of the lineage that belongs to one skill."""
        return SkillRecord(self, name)


@dataclass(frozen=True)
class SkillRecord:
    """Lineage of one skill's evaluation.

    Attributes:
        lineage: Lineage of all skills.
        name: Name of the skill.
    """

    lineage: Lineage
    name: str

    @property
    def skill(self) -> Skill:
        """The skill in the fleet file."""
        return self.lineage.fleet.skill(self.name)

    @property
    def model(self) -> str:
        """Name of the registered model."""
        return model_name(self.lineage.fleet, self.name)

    @property
    def earlier_model(self) -> str | None:
        """Name of the registered model before the skill was renamed; None where it was not."""
        return earlier_model_name(self.lineage.fleet, self.name)

    @property
    def experiment(self) -> str:
        """Name of the experiment."""
        return f"{self.lineage.fleet.name}/{self.name}"

    @property
    def earlier_experiment(self) -> str | None:
        """Name of the experiment before the skill was renamed; None where it was not."""
        return self.skill.was and f"{self.lineage.fleet.name}/{self.skill.was}"

    @property
    def evaluated(self) -> Evaluated:
        """The skill's part of the report of evaluate."""
        missing = Evaluated(status="dropped", reason="it was not evaluated", labels=())
        return self.lineage.evaluate.report.skills.get(self.name, missing)

    @cached_property
    def trained(self) -> Trained:
        """The skill's part of the report of train."""
        return self.lineage.result(TrainReport).report.skills[self.name]

    @property
    def folder(self) -> Path:
        """The skill's files in the result of evaluate."""
        return self.lineage.evaluate.path / self.name

    @property
    def head_digest(self) -> str:
        """Digest of the winner's head."""
        return str(self.evaluated.head_digest)

    @property
    def head_file(self) -> Path:
        """The winner's head in the result of evaluate, compared with the digest in its report.

        Raises:
            DamagedError: it is not the head that was evaluated.
        """
        path = self.folder / "head.safetensors"
        if not path.exists() or digest_file(path) != self.head_digest:
            evaluate = self.lineage.evaluate
            key = f"results/{evaluate.step}/{evaluate.key}/{self.name}/{path.name}"
            raise DamagedError(key, self.lineage.store.uri, f"its SHA-256 must be {self.head_digest}")
        return path

    @property
    def evaluated_at_ms(self) -> int:
        """End of evaluate, in milliseconds since the epoch: the time of everything that is recorded."""
        return _ms(self.lineage.evaluate.created_at)

    @property
    def training_started_at_ms(self) -> int:
        """Start of train, in milliseconds since the epoch."""
        train = self.lineage.result(TrainReport)
        return _ms(train.created_at) - int(train.duration_s * 1000)

    @cached_property
    def backbone(self) -> EmbedReport:
        """The report of embed."""
        return self.lineage.result(EmbedReport).report

    @cached_property
    def data_digest(self) -> str:
        """Digest of the skill's photos, labels and splits, 64 hexadecimal digits."""
        import pyarrow.parquet as pq

        table = pq.read_table(
            self.lineage.result(SplitReport).path / "labels.parquet",
            columns=["photo_id", "label", "split"],
            filters=[("skill", "=", self.name)],
        )
        return digest_json(sorted([row["photo_id"], row["label"], row["split"]] for row in table.to_pylist()))

    @property
    def provenance(self) -> dict[str, str]:
        """Origin of the version, under readable names."""
        lineage = self.lineage
        facts = {
            "fleet": lineage.fleet.name,
            "skill": self.name,
            "data": self.data_digest,
            "catalogue": lineage.result(IngestReport).key,
            "policy": lineage.result(AugmentReport).report.policy_digest,
            "backbone": self.backbone.backbone,
            "backbone_digest": self.backbone.backbone_digest,
            "code": __version__,
            "run": lineage.run or "",
            "commit": lineage.commit or "",
        }
        return {name: value for name, value in facts.items() if value}

    @property
    def pipeline_tags(self) -> dict[str, str]:
        """Tags with the page of the pipeline run."""
        page = self.lineage.pipeline_page
        return {PIPELINE_RUN: page} if page else {}


def _ms(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)
