"""Model of `fleet.yaml`: every setting, its default, its rule."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    field_validator,
    model_validator,
)

from coachworks.fleet import rules
from coachworks.fleet.cluster import Cluster
from coachworks.fleet.deploy import Deploy
from coachworks.fleet.field_types import Fraction, Name, Number, Part, Place, Text, Whole
from coachworks.fleet.framing import Framing
from coachworks.fleet.skill import Candidate, FineTuning, Gates, Serving, Skill, SkillName
from coachworks.fleet.spec_rules import check_spec, imply_skill
from coachworks.steps import CHAIN, OPTIONAL
from coachworks.wording import did_you_mean

RULE_OF_THUMB_PHOTOS_PER_LABEL = 1000
BACKBONES = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
AUTO_BACKBONE = "auto"  # the one that a comparison on the fleet's photos recommends
INPUT_PX = range(64, 1025)  # what may follow the name of one of them, as in `efficientnet-lite0@260`


def is_included(backbone: str) -> bool:
    """Return whether a backbone comes with coachworks, with its own input size or another one.

    >>> [is_included(name) for name in ("efficientnet-lite0", "efficientnet-lite0@260", "efficientnet-lite0@9")]
    [True, True, False]
    """
    name, at, size = backbone.partition("@")
    return name in BACKBONES and (not at or (size.isdecimal() and size.isascii() and int(size) in INPUT_PX))


Share = Annotated[Number, Field(gt=0, lt=1, description="Share of the sets, between 0 and 1.")]


class Source(Part):
    """Photos, and a table that describes them."""

    photos: Place = Field(description="Folder of photos, relative to the fleet file, or s3://bucket/prefix.")
    table: Place | None = Field(
        None,
        description="CSV or Parquet, a file or s3://bucket/key: filename, set_id, source, permission, taken_at, one "
        "column per skill. Without one, each sub-folder of `photos` is a label of `skill`.",
    )
    skill: Text | None = Field(
        None,
        description="Without a table: the skill that the sub-folders' names answer. A fleet's only skill is implied.",
    )
    source: Text | None = Field(
        None, description="Name of the source, where the table does not say; default: the folder's or bucket's name."
    )
    permission: Text | None = Field(None, description="Licence or written permission, where the table does not say.")
    follow_links: bool = Field(
        False,
        description="Follow symbolic links that lead out of `photos`; otherwise they are set aside. Links that stay "
        "inside are followed in any case.",
    )


class Augment(Part):
    """Augmented views of the training photos."""

    views: Whole = Field(2, ge=0, le=16, description="Augmented views per training photo, beside the clean one.")
    transforms: list[dict[str, Any]] | None = Field(
        None,
        description="Transforms of the toolkit or of Albumentations, each with its arguments: "
        "`- rotation: {degrees: 5}`. Unset: a policy that suits photos of things.",
    )
    seed: Whole = Field(0, ge=0, description="Seed of the views.")
    exchange_labels: bool = Field(
        False,
        description="Where a transform exchanges pairs of a skill's labels exactly (a mirror: left and right), learn "
        "from its views with the labels exchanged, instead of leaving them out.",
    )

    @field_validator("transforms")
    @classmethod
    def _one_name_each(cls, transforms: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
        rules.raise_all(
            "transforms",
            [
                rules.detail(
                    "a transform must be one name with its arguments, as in `- HorizontalFlip: {p: 0.5}`; "
                    f"got {transform!r}",
                    (index,),
                    transform,
                )
                for index, transform in enumerate(transforms or ())
                if len(transform) != 1 or not isinstance(next(iter(transform.values())), dict)
            ],
        )
        return transforms


class Checks(Part):
    """Thresholds for poor photos, and the tolerated shares of bad data."""

    min_sharpness: Number = Field(
        0.01, ge=0, description="Least sharpness: variance of the Laplacian divided by that of the grey values."
    )
    min_brightness: Fraction = Field(0.15, description="Least mean brightness, in [0, 1].")
    max_brightness: Fraction = Field(0.92, description="Largest mean brightness, in [0, 1].")
    min_contrast: Number = Field(0.03, ge=0, le=0.5, description="Least standard deviation of the grey values.")
    min_side_px: Whole = Field(112, ge=1, description="Least length of the shorter side, in pixels.")
    max_poor_share: Fraction = Field(0.05, description="Share of photos that may be poor in one respect; more warns.")
    max_unknown_share: Fraction = Field(
        0.01, description="Share of a skill's labels that may be outside its vocabulary; more is a failure."
    )
    max_leaking_share: Fraction = Field(
        0.05, description="Share of held-out photos that may look like one of training; more is a failure."
    )

    @model_validator(mode="after")
    def _dark_is_below_bright(self) -> "Checks":
        if self.min_brightness >= self.max_brightness:
            raise rules.broken(
                f"minBrightness must be below maxBrightness; got {self.min_brightness:g} and {self.max_brightness:g}"
            )
        return self


class Split(Part):
    """Shares of the sets per split."""

    train: Share = 0.7
    validation: Share = 0.15
    test: Share = 0.15

    @model_validator(mode="after")
    def _adds_up(self) -> "Split":
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise rules.broken(f"train, validation and test must add up to 1; got {total:g}")
        return self


class Defaults(Part):
    """Settings of every skill that does not set its own."""

    candidates: list[Candidate] = Field(
        ["linear", "knn", "svm", "naive-bayes"], min_length=1, description="Kinds of model that compete."
    )
    fine_tune: FineTuning = Field(
        "always",
        description="When the candidate `fine-tune` is tried. `auto`: only if all other candidates miss "
        "`minBalancedAccuracy` on validation.",
    )
    gates: Gates = Field(Gates(), description="Gates of every skill that does not set its own.")
    serving: Serving = Field(Serving(), description="Settings of the skills' pods and Services.")


class Metadata(Part):
    """Name of the fleet."""

    name: Name = Field(description="The fleet's name, a DNS label; its models and its Helm release are named after it.")


class Spec(Part):
    """Sources, settings and skills of the fleet."""

    store: Place = Field("./store", description="Folder, relative to the fleet file, or s3://bucket/prefix.")
    sources: list[Source] = Field(min_length=1, description="Photos and tables that `ingest` reads.")
    tracking: Text | None = Field(
        None, description="MLflow tracking server, as https://mlflow.example; null: embedded, SQLite in the store."
    )
    backbone: Text = Field(
        "efficientnet-lite0",
        description="efficientnet-lite0, -lite1 or -lite2, a local folder in the layout of `transformers`, "
        "`hub:owner/name`, or `auto`: the one that `coachworks probe` recommends, chosen once.",
    )
    framing: Framing = Field(Framing(), description="The part of each photo that the backbone sees.")
    augment: Augment = Field(Augment(), description="Augmented views of the training photos.")
    split: Split = Field(Split(), description="Shares of the sets per split.")
    checks: Checks = Field(Checks(), description="Thresholds for poor photos, and the tolerated shares of bad data.")
    lanes: Whole = Field(1, ge=1, description="Groups of skills that are trained side by side.")
    cluster: Cluster = Field(Cluster(), description="Settings of the pipeline on Kubernetes.")
    deploy: Deploy = Field(Deploy(), description="Settings of the deployment on Kubernetes.")
    defaults: Defaults = Field(Defaults(), description="Settings of every skill that does not set its own.")
    skills: dict[SkillName, Skill] = Field(min_length=1, description="The classifiers, by name.")

    @field_validator("tracking")
    @classmethod
    def _tracking_is_an_address(cls, tracking: str | None) -> str | None:
        if tracking is not None and "://" not in tracking:
            raise rules.broken(
                f"`tracking` must be null or the address of an MLflow server, as https://mlflow.example; "
                f"got {tracking!r}"
            )
        if tracking is not None and "@" in tracking:
            raise rules.broken(
                "`tracking` must not hold a user name, password or token: set MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the environment"
            )
        return tracking

    @field_validator("backbone")
    @classmethod
    def _backbone_is_known(cls, backbone: str) -> str:
        if backbone != AUTO_BACKBONE and not is_included(backbone) and not backbone.startswith(("./", "../", "/")):
            owner, _, name = backbone.removeprefix("hub:").partition("/")
            if not (backbone.startswith("hub:") and owner and name):
                raise rules.broken(
                    f"`backbone` must be one of {', '.join(BACKBONES)}, or one of them with another input size of "
                    f"{INPUT_PX[0]} to {INPUT_PX[-1]} pixels, such as {BACKBONES[0]}@260, a local folder that begins "
                    f"with ./ or /, hub:owner/name, or {AUTO_BACKBONE}; got {backbone!r}."
                    f"{did_you_mean(backbone, (*BACKBONES, AUTO_BACKBONE))}"
                )
        return backbone

    @model_validator(mode="wrap")
    @classmethod
    def _parts_agree(cls, spec: Any, handler: ModelWrapValidatorHandler["Spec"]) -> "Spec":
        if not isinstance(spec, dict):
            return handler(spec)
        details = check_spec(spec)
        try:
            validated = handler(imply_skill(spec))
        except ValidationError as err:
            rules.raise_all("spec", details, further=err)
            raise
        rules.raise_all("spec", details)
        return validated


class Fleet(Part):
    """All skills of one project."""

    api_version: Literal["coachworks.dev/v1"] = Field(description="Version of this format.")
    kind: Literal["Fleet"] = Field(description="Kind of the file: Fleet.")
    metadata: Metadata = Field(description="Name of the fleet.")
    spec: Spec = Field(description="Sources, settings and skills of the fleet.")

    @property
    def name(self) -> str:
        """The fleet's name."""
        return self.metadata.name

    @property
    def steps(self) -> list[str]:
        """The steps of the fleet's pipeline, in their order."""
        return [step for step in CHAIN if step not in OPTIONAL or self.spec.deploy.automatic]

    def skill(self, name: str) -> Skill:
        """Return the skill called `name`; KeyError if there is none."""
        return self.spec.skills[name]

    def gates(self, skill: str) -> Gates:
        """Return the gates of a skill: its own, else those of `defaults`."""
        own = self.spec.skills[skill].gates.model_dump(exclude_none=True)
        return self.spec.defaults.gates.model_copy(update=own)

    def candidates(self, skill: str) -> list[Candidate]:
        """Return the candidates of a skill."""
        return self.spec.skills[skill].candidates or self.spec.defaults.candidates

    def enough_without_tuning(self, skill: str) -> float | None:
        """Return the balanced accuracy on validation from which a skill is not fine-tuned; None: it is in any case."""
        when = self.spec.skills[skill].fine_tune or self.spec.defaults.fine_tune
        return self.gates(skill).min_balanced_accuracy if when == "auto" else None

    def serving(self, skill: str) -> Serving:
        """Return the serving settings of a skill: its own, each else that of `defaults`."""
        own = self.spec.skills[skill].serving
        return self.spec.defaults.serving.model_copy(update=own.model_dump(exclude_unset=True) if own else {})

    def service_name(self, skill: str) -> str:
        """Return the name of a skill's Service: that of the file, else the skill's earlier name, else its name."""
        return self.serving(skill).service_name or self.spec.skills[skill].was or skill

    @property
    def renamed(self) -> dict[str, str]:
        """The name of each renamed skill, by its earlier name."""
        return {skill.was: name for name, skill in self.spec.skills.items() if skill.was is not None}

    def lanes(self, only: list[str] | None = None) -> list[list[str]]:
        """Return the skills, or those of `only`, in `spec.lanes` groups of nearly equal size, in the file's order."""
        names = [name for name in self.spec.skills if only is None or name in only]
        count = min(self.spec.lanes, len(names))
        return [names[index::count] for index in range(count)]

    def located(self, folder: Path) -> "Fleet":
        """Return the fleet with absolute paths, relative ones being relative to `folder`; addresses of buckets stay."""

        def absolute(path: str) -> str:
            return path if path.startswith("s3://") else str((folder / path.removeprefix("file://")).absolute())

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
        """Return the fleet as a JSON string, the form in which steps receive it; `from_json` reads it."""
        return self.model_dump_json(by_alias=True, exclude_unset=True)

    @classmethod
    def from_json(cls, text: str) -> "Fleet":
        """Read the fleet that `to_json` wrote."""
        return cls.model_validate_json(text)
