"""Model of a skill in `fleet.yaml`, and of its settings that `defaults` may hold for all skills."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from coachworks.fleet import rules
from coachworks.fleet.cluster import VariableName, check_image
from coachworks.fleet.field_types import Cpu, Memory, Name, Number, Part, Text, Whole
from coachworks.fleet.labels import check_labels, check_question, check_similar, check_unsure
from coachworks.fleet.names import RESERVED_SKILLS


def _skill_name(name: str) -> str:
    if name in RESERVED_SKILLS:
        raise rules.broken(
            f"a skill must not be called {name!r}, the name of another column or page. Choose another name."
        )
    return name


SkillName = Annotated[Name, AfterValidator(_skill_name)]
Candidate = Literal["linear", "mlp", "knn", "svm", "naive-bayes", "fine-tune"]
FineTuning = Literal["always", "auto"]


class Gates(Part):
    """Conditions that a skill must meet. A gate that is not set only warns, or is not checked."""

    min_photos_per_label: Whole | None = Field(
        None, ge=1, description="Photos that each label needs. Unset: fewer than 1,000 is a warning."
    )
    min_balanced_accuracy: Number | None = Field(
        None, ge=0, le=1, description="Least balanced accuracy on the test split."
    )
    max_expected_calibration_error: Number | None = Field(
        None, ge=0, le=1, description="Largest expected calibration error on the test split, after calibration."
    )


class Serving(Part):
    """Settings of a skill's pods and Service."""

    replicas: Whole = Field(2, ge=1, description="Number of pods.")
    cpu: Cpu = Field("1", description='CPU request, a Kubernetes quantity: "1" or 500m.')
    memory: Memory = Field("2Gi", description="Memory limit, a Kubernetes quantity: 2Gi or 512Mi.")
    layout: Literal["shared", "dedicated"] = Field(
        "shared", description="`shared`: in pods with other skills; `dedicated`: in pods of its own."
    )
    port: Whole | None = Field(None, ge=1, le=65535, description="Port of the skill's Service; default: 8080.")
    service_name: Name | None = Field(None, description="Name of the skill's Service; default: the skill's name.")
    image: Text | None = Field(None, description="Image of its pods; default: `deploy.image`.")
    environment: dict[VariableName, str] = Field({}, description="Environment variables of its pods; nothing secret.")

    @field_validator("image")
    @classmethod
    def _image_is_pinned(cls, image: str | None) -> str | None:
        return check_image(image)


class Skill(Part):
    """One classifier with a purpose."""

    question: Text | None = Field(
        None, description="The question that the skill answers, for annotators and documents."
    )
    labels: list[str] = Field(
        min_length=2, description="The possible answers.", json_schema_extra={"uniqueItems": True}
    )
    unsure: Text | None = Field(None, description="An answer that annotators may give and that never becomes a class.")
    similar: list[list[str]] = Field([], description="Groups of labels whose confusion is a sensible mistake.")
    tier: Literal["standard", "critical"] = Field(
        "standard", description="`critical`: every warning is a failure, and a person approves each version."
    )
    candidates: list[Candidate] | None = Field(
        None, min_length=1, description="Kinds of model that compete; default: those of `defaults`."
    )
    fine_tune: FineTuning | None = Field(
        None, description="When the candidate `fine-tune` is tried; default: that of `defaults`."
    )
    gates: Gates = Field(Gates(), description="Gates of this skill; default of each: that of `defaults`.")
    serving: Serving | None = Field(
        None, description="Settings of this skill's pods and Service; default of each: that of `defaults`."
    )
    was: SkillName | None = Field(
        None, description="Earlier name of the skill, whose answers, registered model and Service it keeps."
    )

    @field_validator("question")
    @classmethod
    def _question_is_readable(cls, question: str | None) -> str | None:
        return question if question is None else check_question(question)

    @field_validator("labels")
    @classmethod
    def _labels_differ(cls, labels: list[str]) -> list[str]:
        return check_labels(labels)

    @field_validator("unsure")
    @classmethod
    def _unsure_is_no_label(cls, unsure: str | None, info: ValidationInfo) -> str | None:
        return unsure if unsure is None else check_unsure(unsure, info.data.get("labels", ()))

    @field_validator("similar")
    @classmethod
    def _similar_names_labels(cls, similar: list[list[str]], info: ValidationInfo) -> list[list[str]]:
        return check_similar(similar, info.data["labels"]) if "labels" in info.data else similar
