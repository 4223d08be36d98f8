"""What the parts of the fleet file's model are made of: their base, and the types that several of them use."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict
from pydantic.alias_generators import to_camel

from coachworks.fleet import rules

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"


def _dns_label(name: str) -> str:
    if not re.fullmatch(DNS_LABEL.removesuffix("$"), name):
        raise rules.broken(
            "a name must be a DNS label: at most 63 lower-case letters, digits and hyphens, beginning and ending with "
            f"a letter or digit; got {name!r}"
        )
    return name


Name = Annotated[
    str,
    AfterValidator(_dns_label),
    Field(
        description="A DNS label: lower-case letters, digits and hyphens.",
        json_schema_extra={"pattern": DNS_LABEL},
    ),
]
Text = Annotated[str, Field(min_length=1)]
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Fraction = Annotated[Number, Field(ge=0, le=1)]
Cpu = Annotated[str, Field(pattern=r"^([0-9]+(\.[0-9]+)?|[0-9]+m)$")]
Memory = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$")]


class Part(BaseModel):
    """A part of the fleet file: camelCase keys, nothing unknown, never changed."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)
