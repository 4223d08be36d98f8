"""Made-up registered models with the tags that register writes."""

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from small_fleets import small_fleet

from coachworks.fleet.model import Fleet
from coachworks.tracking import tracking_of


def fleet_of(store: Path, tracking: str | None = None, name: str = "showroom") -> Fleet:
    """Return a fleet of a critical skill and a standard one."""
    skill = {"question": "Which way does the car face?", "labels": ["front", "rear"]}
    skills = {"view": {**skill, "tier": "critical"}, "light": skill}
    return small_fleet(skills, name=name, store=str(store), tracking=tracking)


@dataclass
class Registry:
    """The registered models of a fleet."""

    fleet: Fleet
    client: Any

    @classmethod
    def embedded(cls, fleet: Fleet, empty_database: Path) -> "Registry":
        from mlflow import MlflowClient

        database = tracking_of(fleet).database
        assert database is not None
        database.parent.mkdir(parents=True)
        shutil.copyfile(empty_database, database)
        return cls(fleet, MlflowClient(tracking_of(fleet).uri))

    def add(
        self, skill: str, digest: str | None, *aliases: str, gates: dict[str, str] | None = None, **tags: str
    ) -> str:
        """Add a version of a skill's model; return its number."""
        from mlflow.exceptions import MlflowException

        model = f"{self.fleet.name}.{skill}"
        with contextlib.suppress(MlflowException):
            self.client.create_registered_model(model)
        run_id = None
        if gates is not None:
            known = self.client.get_experiment_by_name(model)
            experiment = known.experiment_id if known else self.client.create_experiment(model)
            run_id = self.client.create_run(experiment).info.run_id
            for name, limit in gates.items():
                self.client.log_param(run_id, f"gate.{name}", limit)
        own = {"head_digest": digest, **tags} if digest else tags
        source = f"runs:/{run_id}/model" if run_id else "s3://nothing/model"  # a server refuses folders
        version = self.client.create_model_version(model, source=source, run_id=run_id, tags=own)
        for alias in aliases:
            self.client.set_registered_model_alias(model, alias, version.version)
        return str(version.version)

    def tags(self, skill: str, version: str) -> dict[str, str]:
        return dict(self.client.get_model_version(f"{self.fleet.name}.{skill}", version).tags)
