"""Models of the service's JSON: predictions, skills and errors, documented by OpenAPI."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, protected_namespaces=())


class RunnerUp(_Part):
    """The second most probable label."""

    label: str = Field(description="The label.", examples=["exterior"])
    probability: float = Field(ge=0, le=1, description="Its calibrated probability.")


class Answer(_Part):
    """One skill's answer about a photo."""

    label: str = Field(description="The most probable label.", examples=["interior"])
    probability: float = Field(ge=0, le=1, description="Its calibrated probability.")
    runner_up: RunnerUp = Field(description="The second most probable label.")
    model_version: str = Field(description="Version of the registered model in MLflow.", examples=["3"])
    probabilities: dict[str, float] | None = Field(
        None, description="Calibrated probability of every label; only if the request sets `probabilities`."
    )


Seen = Literal["box", "whole-photo"]


class Prediction(_Part):
    """The skills' answers about a photo."""

    fleet: str = Field(description="Name of the fleet.", examples=["showroom"])
    bundle: str = Field(description="Digest of the packaged models, 12 hexadecimal digits.", examples=["3f2a91c0de47"])
    seen: Seen | None = Field(
        None, description="The part of the photo that was classified; only of models that were trained on boxes."
    )
    turned_degrees: int | None = Field(
        None, description="Degrees clockwise by which it was turned; only of models that were trained on turned photos."
    )
    answers: dict[str, Answer] = Field(description="One answer per skill, by the skill's name.")


class SkillCard(_Part):
    """A skill of the service."""

    question: str | None = Field(description="The question that the skill answers.")
    labels: list[str] = Field(description="The possible answers.")
    threshold: float | None = Field(
        description="Probability below which a person should check the answer; null if none was chosen."
    )
    model_version: str = Field(description="Version of the registered model.", examples=["3"])
    kind: str = Field(description="Kind of the head.", examples=["linear"])


class SkillList(_Part):
    """The skills of the service."""

    fleet: str = Field(description="Name of the fleet.", examples=["showroom"])
    bundle: str = Field(description="Digest of the packaged models, 12 hexadecimal digits.", examples=["3f2a91c0de47"])
    backbone: str = Field(description="Name of the backbone that all skills share.", examples=["efficientnet-lite0"])
    skills: dict[str, SkillCard] = Field(description="The skills by name.")


class Health(_Part):
    """State of the service."""

    status: Literal["ok"] = Field(description="Always `ok`; other states are errors.")


class ErrorBody(_Part):
    """Reason of an error and its remedy."""

    code: str = Field(description="Machine-readable reason.", examples=["not-a-photo"])
    message: str = Field(description="The rule that was broken and the value.", examples=["the file is not an image"])
    way_out: str = Field(description="Remedy.", examples=["Send one of JPEG, PNG, WEBP, BMP, GIF, TIFF."])


class ErrorDocument(_Part):
    """Body of every error response."""

    error: ErrorBody
