"""From aliases to exact versions and digests, out of an MLflow that is embedded."""

import pytest
from registered import Registry, fleet_of
from released import BACKBONE, add_version, put_backbone

from coachworks.context import open_context
from coachworks.errors import DataError, NotFoundError
from coachworks.results import produce
from coachworks.tracking import tracking_of
from components.deploy.models.approval import approve
from components.deploy.target.resolve import resolve_versions
from components.deploy.target.values import read_values
from components.register.report import RegisterReport, Registration

OTHER = "c" * 64


@pytest.fixture
def registry(store, empty_database, monkeypatch):
    """`view` is critical, `light` is not."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    registry = Registry.embedded(fleet_of(store.root), empty_database)
    put_backbone(store)
    return registry


@pytest.fixture
def resolved(registry, store):
    def call(**options):
        return resolve_versions(registry.fleet, store, registry.client, tracking_of(registry.fleet), **options)

    return call


@pytest.fixture
def add(registry, store):
    """Register versions; a critical skill's are approved unless told otherwise."""

    def call(skill, *aliases, approved=True, **options):
        number = add_version(registry, store, skill, *aliases, **options)
        if skill == "view" and approved:
            approve(registry.fleet, skill, number, by="Ada")
        return number

    return call


def deployed(registry, **versions):
    """Values of a release of these versions."""
    return {
        "skills": {
            skill: {"model": {"version": number, "head_sha256": registry.tags(skill, number)["head_digest"]}}
            for skill, number in versions.items()
        }
    }


def versions(result):
    return {skill: head.version for skill, head in result.manifest.skills.items()}


def test_the_alias_champion_becomes_a_number_and_a_digest(registry, add, resolved):
    for skill in ("view", "light"):
        add(skill)
        add(skill, "champion")
        add(skill, "challenger")
    result = resolved()
    assert versions(result) == {"view": "2", "light": "2"}
    digests = {skill: head.head_sha256 for skill, head in result.manifest.skills.items()}
    assert digests == {skill: registry.tags(skill, "2")["head_digest"] for skill in ("view", "light")}
    assert result.manifest.backbone.digest == BACKBONE
    assert (result.awaiting, result.left_out) == ({}, {})


def test_an_alias_that_moves_changes_what_is_released(registry, add, resolved):
    add("light", "champion")
    add("light")
    before = resolved().manifest.digest()
    registry.client.set_registered_model_alias("showroom.light", "champion", "2")
    assert resolved().manifest.digest() != before
    assert versions(resolved()) == {"light": "2"}


def test_a_pinned_version_goes_before_the_champion_and_needs_no_alias(add, resolved):
    add("view", "champion")
    add("light", "champion")
    add("light")
    assert versions(resolved(pinned={"light": "2"})) == {"view": "1", "light": "2"}


@pytest.mark.parametrize("number", ["9", "v1", "latest"])
def test_a_pinned_version_that_does_not_exist_is_named(add, resolved, number):
    add("light", "champion")
    with pytest.raises(
        NotFoundError, match=rf"'showroom.light' has no version '{number}'. `coachworks mlflow` shows its versions"
    ):
        resolved(pinned={"light": number})


def renamed(fleet, **names):
    """Return the fleet with new names of skills, each with its earlier one."""
    skills = {new: fleet.spec.skills[was].model_copy(update={"was": was}) for new, was in names.items()}
    return fleet.model_copy(update={"spec": fleet.spec.model_copy(update={"skills": skills})})


def test_a_renamed_skill_has_the_champion_of_its_earlier_name(registry, store, add):
    add("view", "champion")
    add("light", "champion")
    after = renamed(registry.fleet, angle="view", light="light")
    result = resolve_versions(after, store, registry.client, tracking_of(after))
    assert versions(result) == {"angle": "1", "light": "1"}
    assert result.left_out == {}


def test_a_renamed_critical_skill_keeps_its_deployed_version_until_the_new_one_is_approved(registry, store, add):
    add("view", "champion")
    kept = read_values(deployed(registry, view="1"))
    add("view", "champion", approved=False)
    after = renamed(registry.fleet, angle="view")
    result = resolve_versions(after, store, registry.client, tracking_of(after), deployed=kept)
    assert versions(result) == {"angle": "1"}
    assert "`coachworks approve angle 2`" in result.awaiting["angle"]
    approve(after, "angle", "2", by="Ada")
    result = resolve_versions(after, store, registry.client, tracking_of(after), deployed=kept)
    assert versions(result) == {"angle": "2"}


def test_a_skill_that_nobody_registered_is_left_out_with_the_way_out(add, resolved):
    add("light", "champion")
    result = resolved()
    assert versions(result) == {"light": "1"}
    assert result.left_out == {"view": "no model 'showroom.view' is registered. Run the pipeline: `coachworks run`."}


@pytest.fixture
def record_run(registry, store):
    """Record the registrations of a run that packaged."""

    def call(**registrations):
        context = open_context(registry.fleet)
        entries = {skill: Registration(model=f"showroom.{skill}", **entry) for skill, entry in registrations.items()}
        report = RegisterReport("embedded", entries)
        register = produce(RegisterReport, {"evaluate": "e"}, lambda _: report, context=context, code="c")
        produce("package", {"register": [register.key]}, lambda _: {}, context=context, code="c")

    return call


def test_a_skill_that_the_latest_run_dropped_is_left_out_with_the_reason_of_the_run(add, resolved, record_run):
    add("light", "champion")
    record_run(view={"status": "not-registered", "reason": "front has no photo. Add photos of it."})
    assert resolved().left_out["view"] == (
        "no model 'showroom.view' is registered. The latest run did not register 'view': front has no photo. "
        "Add photos of it. `coachworks status` shows the run."
    )


def test_a_skill_that_the_latest_run_did_not_include_is_left_out_with_the_way_out(add, resolved, record_run):
    add("light", "champion")
    record_run(light={"status": "champion", "reason": "", "champion_version": "1"})
    assert (
        resolved()
        .left_out["view"]
        .endswith("The latest run did not include 'view'. Run the pipeline with it: `coachworks run`.")
    )


def test_a_skill_that_the_latest_run_registered_elsewhere_points_to_the_other_mlflow(add, resolved, record_run):
    add("light", "champion")
    record_run(view={"status": "champion", "reason": "", "champion_version": "4"})
    assert "registered version 4: in another MLflow, or it was removed since" in resolved().left_out["view"]


def test_a_model_without_a_champion_is_left_out(add, resolved):
    add("light", "champion")
    add("view", "challenger")
    assert "no version of 'showroom.view' has the alias `champion`" in resolved().left_out["view"]


def test_a_version_that_somebody_else_registered_is_left_out(registry, add, resolved):
    add("light", "champion")
    registry.add("view", None, "champion")
    assert resolved().left_out == {
        "view": "version 1 of 'showroom.view' was not registered by coachworks: it lacks the tag 'head_digest'."
    }


def test_a_head_that_the_store_lost_is_left_out_with_the_way_out(registry, add, resolved):
    add("light", "champion")
    registry.add("view", "d" * 64, "champion")
    approve(registry.fleet, "view", "1", by="Ada")
    assert "is not in the store" in resolved().left_out["view"]
    assert "`coachworks run` writes it again" in resolved().left_out["view"]


def test_a_skill_that_reads_another_backbone_than_the_newest_is_left_out(store, add, resolved):
    put_backbone(store, OTHER)
    add("view", "champion")
    add("light")
    add("light", "champion", backbone=OTHER)
    result = resolved()
    assert versions(result) == {"light": "2"}
    assert "reads another backbone than most" in result.left_out["view"]


def test_without_any_usable_skill_every_reason_is_told(registry, resolved):
    registry.add("light", "d" * 64, "champion")
    with pytest.raises(DataError) as caught:
        resolved()
    first, *reasons = str(caught.value).splitlines()
    assert first == "no skill of the fleet can be deployed:"
    assert reasons[0].startswith("  view: no model 'showroom.view' is registered")
    assert reasons[1].startswith("  light: its champion, version 1, is registered but its head dddddddddddd is not")


def test_a_deployed_skill_that_lost_its_champion_is_left_out_with_the_reason(registry, add, resolved):
    add("view", "champion")
    add("light", "champion")
    values = deployed(registry, view="1", light="1")
    registry.client.delete_registered_model_alias("showroom.light", "champion")
    outcome = resolved(deployed=read_values(values))
    assert "no version of 'showroom.light' has the alias `champion`" in outcome.left_out["light"]


def test_a_skill_that_the_fleet_file_no_longer_names_may_go(registry, add, resolved):
    add("light", "champion")
    values = deployed(registry, light="1")
    values["skills"]["wheel"] = values["skills"]["light"]
    assert versions(resolved(deployed=read_values(values))) == {"light": "1"}


def test_a_critical_version_that_nobody_approved_is_left_out(add, resolved):
    add("view", "champion", approved=False)
    add("light", "champion")
    result = resolved()
    assert versions(result) == {"light": "1"}
    assert "coachworks approve view 1" in result.awaiting["view"]
    assert result.left_out == result.awaiting


def test_the_version_that_answers_stays_while_its_successor_awaits_approval(registry, add, resolved):
    add("view")
    add("view", "champion", approved=False)
    add("light", "champion")
    result = resolved(deployed=read_values(deployed(registry, view="1")))
    assert versions(result) == {"view": "1", "light": "1"}
    assert "its version 2 is not approved" in result.awaiting["view"]
    assert result.left_out == {}


def test_pinning_does_not_replace_an_approval(add, resolved):
    add("view", "champion")
    add("view", approved=False)
    add("light", "champion")
    assert "coachworks approve view 2" in resolved(pinned={"view": "2"}).awaiting["view"]


def test_where_all_awaits_approval_there_is_nothing_to_release(add, resolved):
    add("view", "champion", approved=False)
    result = resolved()
    assert result.manifest is None
    assert list(result.awaiting) == ["view"]
    assert set(result.left_out) == {"view", "light"}
