"""The model of `fleet.yaml`: every setting, its default, its rule."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

RULE_OF_THUMB_PHOTOS_PER_LABEL = 1000

Name = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
        description="A DNS label: lower-case letters, digits and hyphens.",
    ),
]
Candidate = Literal["linear", "mlp", "knn", "svm", "naive-bayes"]
Share = Annotated[float, Field(gt=0, lt=1)]


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Source(_Part):
    """A place where photos come from."""

    photos: str = Field(description="Folder of photos, relative to the fleet file.")
    table: str | None = Field(
        None,
        description="CSV or Parquet: filename, set_id, source, permission, taken_at, one column per skill. "
        "Without one, each sub-folder of `photos` is a label of `skill`.",
    )
    skill: str | None = Field(None, description="Without a table: the skill that the sub-folders' names answer.")
    source: str | None = Field(
        None, description="Name of the source, where the table does not say; default: the folder's name."
    )
    permission: str | None = Field(None, description="Licence or written permission, where the table does not say.")


class Gates(_Part):
    """Conditions that must hold. A gate that is not set only warns, or is not checked."""

    min_photos_per_label: int | None = Field(
        None, ge=1, description="Photos that each label needs. Unset: fewer than 1,000 is a warning."
    )
    min_balanced_accuracy: float | None = Field(
        None, ge=0, le=1, description="Least balanced accuracy on the test split."
    )
    max_expected_calibration_error: float | None = Field(
        None, ge=0, le=1, description="Largest expected calibration error on the test split, after calibration."
    )


class Serving(_Part):
    """How a skill is served."""

    replicas: int = Field(2, ge=1, description="Pods.")
    cpu: str = Field("1", description="CPU request, a Kubernetes quantity.")
    memory: str = Field("2Gi", description="Memory limit, a Kubernetes quantity.")
    layout: Literal["shared", "dedicated"] = Field(
        "shared", description="Share pods with other skills, or have its own."
    )
    port: int | None = Field(None, ge=1, le=65535, description="Port of the skill's Service.")
    service_name: Name | None = Field(None, description="Name of the skill's Service; default: the skill's name.")


class Augment(_Part):
    """Augmented views of the training photos."""

    views: int = Field(2, ge=0, le=16, description="Augmented views per training photo, beside the clean one.")
    transforms: list[dict[str, Any]] | None = Field(
        None,
        description="Albumentations transforms by name, each with its arguments: `- HorizontalFlip: {p: 0.5}`. "
        "Unset: a policy that suits photos of things.",
    )
    seed: int = Field(0, ge=0, description="Seed of the views.")


class Split(_Part):
    """Shares of the sets per split."""

    train: Share = 0.7
    validation: Share = 0.15
    test: Share = 0.15

    @model_validator(mode="after")
    def _adds_up(self) -> "Split":
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train, validation and test must add up to 1; got {total:g}")
        return self


class Defaults(_Part):
    """Settings of every skill that does not set its own."""

    candidates: list[Candidate] = Field(
        ["linear", "knn", "svm", "naive-bayes"], min_length=1, description="Ways to answer that compete."
    )
    gates: Gates = Gates()
    serving: Serving = Serving()


class Skill(_Part):
    """One classifier with a purpose."""

    question: str | None = Field(None, description="What the skill answers, in words.")
    labels: list[str] = Field(min_length=2, description="The possible answers.")
    unsure: str | None = Field(None, description="An answer that annotators may give and that never becomes a class.")
    similar: list[list[str]] = Field([], description="Groups of labels whose confusion is a sensible mistake.")
    tier: Literal["standard", "critical"] = Field("standard", description="`critical`: every warning is a failure.")
    candidates: list[Candidate] | None = Field(
        None, min_length=1, description="Ways to answer that compete; default: those of `defaults`."
    )
    gates: Gates = Gates()
    serving: Serving | None = None


class Metadata(_Part):
    """What the fleet is called."""

    name: Name


class Spec(_Part):
    """What the fleet is made of."""

    store: str = Field("./store", description="Folder, relative to the fleet file.")
    sources: list[Source] = Field(min_length=1, description="What `ingest` takes in.")
    tracking: str | None = Field(None, description="MLflow tracking server; null: embedded, SQLite in the store.")
    backbone: str = Field(
        "efficientnet-lite0",
        description="efficientnet-lite0, -lite1 or -lite2, a local folder in the layout of `transformers`, "
        "or `hub:owner/name`.",
    )
    augment: Augment = Augment()
    split: Split = Split()
    lanes: int = Field(1, ge=1, description="Groups of skills that are trained side by side.")
    defaults: Defaults = Defaults()
    skills: dict[Name, Skill] = Field(min_length=1)


class Fleet(_Part):
    """All skills of one project."""

    api_version: Literal["coachworks.dev/v1"]
    kind: Literal["Fleet"]
    metadata: Metadata
    spec: Spec

    @property
    def name(self) -> str:
        """The fleet's name."""
        return self.metadata.name

    def skill(self, name: str) -> Skill:
        """The skill called `name`; KeyError if there is none."""
        return self.spec.skills[name]

    def gates(self, skill: str) -> Gates:
        """The gates of a skill: its own, else those of `defaults`."""
        own = self.spec.skills[skill].gates.model_dump(exclude_none=True)
        return self.spec.defaults.gates.model_copy(update=own)

    def candidates(self, skill: str) -> list[Candidate]:
        """The candidates of a skill."""
        return self.spec.skills[skill].candidates or self.spec.defaults.candidates

    def serving(self, skill: str) -> Serving:
        """The serving settings of a skill: its own, each else that of `defaults`."""
        own = self.spec.skills[skill].serving
        return self.spec.defaults.serving.model_copy(update=own.model_dump(exclude_unset=True) if own else {})

    def lanes(self, only: list[str] | None = None) -> list[list[str]]:
        """The skills in `spec.lanes` groups of nearly equal size, in the file's order; `only` these."""
        names = [name for name in self.spec.skills if only is None or name in only]
        count = min(self.spec.lanes, len(names))
        return [names[index::count] for index in range(count)]

    def located(self, folder: Path) -> "Fleet":
        """The same fleet with its paths made absolute, `folder` being that of the fleet file."""

        def absolute(path: str) -> str:
            return path if "://" in path else str((folder / path).absolute())

        sources = [
            source.model_copy(
                update={"photos": absolute(source.photos), "table": source.table and absolute(source.table)}
            )
            for source in self.spec.sources
        ]
        backbone = self.spec.backbone
        if backbone.startswith((".", "/")):
            backbone = absolute(backbone)
        spec = self.spec.model_copy(
            update={"store": absolute(self.spec.store), "sources": sources, "backbone": backbone}
        )
        return self.model_copy(update={"spec": spec})

    def to_json(self) -> str:
        """The fleet as the one string that travels to the steps; `from_json` reads it."""
        return self.model_dump_json(by_alias=True, exclude_unset=True)

    @classmethod
    def from_json(cls, text: str) -> "Fleet":
        """The fleet that `to_json` wrote."""
        return cls.model_validate_json(text)
