"""The registered model and the experiment of a renamed skill, which take its present name.

MLflow renames a model with its versions, aliases and tags: versions are counted on, the champion stays the one to beat,
and each version's tag `skill` keeps the name under which it was trained.
"""

from coachworks.tracking import TrackingClient
from coachworks.tracking.registry import read_model
from components.register.lineage import SkillRecord

WAS = "was"  # tag of a registered model: the skill's earlier name


def must_rename(client: TrackingClient, record: SkillRecord) -> bool:
    """Return whether the model or the experiment of a skill has its earlier name only."""
    return _has_earlier_model(client, record) or _earlier_experiment(client, record) is not None


def rename(client: TrackingClient, record: SkillRecord) -> None:
    """Give the model and the experiment of a skill its present name; one that exists under that name stays as it is."""
    experiment_id = _earlier_experiment(client, record)
    if experiment_id is not None:
        client.rename_experiment(experiment_id, record.experiment)
    if _has_earlier_model(client, record):
        earlier = str(record.earlier_model)
        client.set_registered_model_tag(earlier, "skill", record.name)
        client.set_registered_model_tag(earlier, WAS, str(record.skill.was))
        client.rename_registered_model(earlier, record.model)  # last: after it, nothing is left to do


def why_not_renamed(client: TrackingClient, record: SkillRecord) -> str | None:
    """Return the reason why a model keeps the skill's earlier name; None where none does."""
    if record.earlier_model is None or read_model(client, record.earlier_model) is None:
        return None
    return (
        f"{record.name}: the model {record.earlier_model!r} keeps its name, since {record.model!r} is registered too. "
        f"To go on with its versions, delete {record.model!r} in MLflow and run again; else remove `was` at the skill."
    )


def _has_earlier_model(client: TrackingClient, record: SkillRecord) -> bool:
    if record.earlier_model is None or read_model(client, record.model) is not None:
        return False
    return read_model(client, record.earlier_model) is not None


def _earlier_experiment(client: TrackingClient, record: SkillRecord) -> str | None:
    """Return the id of the active experiment with the earlier name, if there is none with the present name."""
    if record.earlier_experiment is None or client.get_experiment_by_name(record.experiment) is not None:
        return None
    earlier = client.get_experiment_by_name(record.earlier_experiment)
    return None if earlier is None or earlier.lifecycle_stage != "active" else str(earlier.experiment_id)
