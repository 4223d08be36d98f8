"""Base class and field types of the fleet file's model."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict
from pydantic.alias_generators import to_camel

from coachworks.fleet import rules
from coachworks.fleet.names import DNS_LABEL


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


def check_bucket_address(address: str) -> str:
    """Return `address` if it is `s3://bucket` or `s3://bucket/prefix`.

    Raises:
        PydanticCustomError: it is not.
    """
    bucket, _, key = address.removeprefix("s3://").partition("/")
    if not re.fullmatch(r"[a-z0-9][-a-z0-9._]{1,61}[a-z0-9]", bucket):
        raise rules.broken(
            "an address of a bucket must be s3://bucket/prefix, the bucket named by 3 to 63 lower-case letters, "
            f"digits, dots and hyphens; got {address!r}"
        )
    if re.search(r"[?#]", key) or not {"", ".", ".."}.isdisjoint(key.removesuffix("/").split("/") if key else ()):
        raise rules.broken(
            "a prefix in a bucket must be made of names with single slashes between them, without ? and #; "
            f"got {address!r}"
        )
    return address


def _folder_or_bucket(path: str) -> str:
    if path.startswith("s3://"):
        return check_bucket_address(path)
    if "://" in path and not path.startswith("file://"):
        raise rules.broken(
            f"must be a local path or s3://bucket/prefix; got {path!r}. Name a folder beside the fleet file, or one "
            "in a bucket."
        )
    return path


Place = Annotated[Text, AfterValidator(_folder_or_bucket)]


class Part(BaseModel):
    """Part of the fleet file: keys in camelCase, no unknown ones, immutable."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)
