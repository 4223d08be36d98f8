"""What the service says: answers, skills and errors, as models that OpenAPI documents."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, protected_namespaces=())


class RunnerUp(_Part):
    """The second most probable label."""

    label: str = Field(description="The label.", examples=["exterior"])
    probability: float = Field(ge=0, le=1, description="Its calibrated probability.")


class Answer(_Part):
    """What one skill says about a photo."""

    label: str = Field(description="The most probable label.", examples=["interior"])
    probability: float = Field(ge=0, le=1, description="Its calibrated probability.")
    runner_up: RunnerUp = Field(description="The second most probable label.")
    model_version: str = Field(description="Version of the registered model that answered.", examples=["3"])
    probabilities: dict[str, float] | None = Field(
        None, description="Calibrated probability of every label; only where the request asks for it."
    )


class Prediction(_Part):
    """What the skills say about a photo."""

    fleet: str = Field(description="Name of the fleet.", examples=["showroom"])
    bundle: str = Field(description="Digest of the packaged models, 12 hexadecimal digits.", examples=["3f2a91c0de47"])
    answers: dict[str, Answer] = Field(description="One answer per skill, by the skill's name.")


class SkillCard(_Part):
    """A skill that the service answers."""

    question: str | None = Field(description="What it answers, in words.")
    labels: list[str] = Field(description="The possible answers.")
    threshold: float | None = Field(
        description="Probability below which a person should look; null where none was chosen."
    )
    model_version: str = Field(description="Version of the registered model.", examples=["3"])
    kind: str = Field(description="What the head is.", examples=["linear"])


class SkillList(_Part):
    """The skills that the service answers."""

    fleet: str = Field(description="Name of the fleet.", examples=["showroom"])
    bundle: str = Field(description="Digest of the packaged models, 12 hexadecimal digits.", examples=["3f2a91c0de47"])
    backbone: str = Field(description="Name of the backbone that all skills share.", examples=["efficientnet-lite0"])
    skills: dict[str, SkillCard] = Field(description="The skills by name.")


class Health(_Part):
    """How the service is."""

    status: Literal["ok"] = Field(description="Always `ok`: anything else is an error.")


class ErrorBody(_Part):
    """What was wrong and what to do about it."""

    code: str = Field(description="Machine-readable reason.", examples=["not-a-photo"])
    message: str = Field(description="What was wrong: the rule and the value.", examples=["the file is not an image"])
    way_out: str = Field(description="What to do about it.", examples=["Send one of JPEG, PNG, WEBP, BMP, GIF, TIFF."])


class ErrorDocument(_Part):
    """The one shape of every error."""

    error: ErrorBody
