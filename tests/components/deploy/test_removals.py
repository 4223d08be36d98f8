"""Skills and Services that a deployment, a plan or a rollback would take away, and names that are taken."""

from collections.abc import Iterator
from typing import Any

import pytest
from registered import Registry
from released import Answers, Showroom, add_version, answering

from coachworks.errors import InvalidConfigError
from coachworks.fleet.model import Fleet
from coachworks.kubernetes_api import path_of
from components.deploy.cluster.ownership import NameTakenError
from components.deploy.config import DeployConfig
from components.deploy.helm.manifests import parse_objects
from components.deploy.plan import DeploymentPlan, plan_deployment
from components.deploy.releasing import release_fleet, roll_back
from components.deploy.removals import RemovalError, find_removals
from components.deploy.report import DeployReport
from components.deploy.request import DeployRequest, resolve_target
from components.deploy.target.values import read_values
from deploy_values import fleet, values_of

IMAGE = "acme/models:1"
SETTINGS = DeployConfig(timeout_s=5)
VIEW: dict[str, Any] = {"view": {}}
WHEEL: dict[str, Any] = {"wheel": {"serviceName": "ai-wheel", "port": 9722}}
BOTH = {**VIEW, **WHEEL}
KIND: dict[str, Any] = {"kind": {}}


class Site(Showroom):
    """The fleet's models and its cluster, with pods that answer with version 1 of what is deployed."""

    answers: Answers

    def fleet(self, skills: dict[str, Any], **settings: Any) -> Fleet:
        return fleet(store=self.store.uri, skills=skills, canary={"soakSeconds": 0}, **settings)

    def deploy(self, skills: dict[str, Any], *removed: str, **settings: Any) -> DeployReport:
        self.answers.skills = dict.fromkeys(skills, ("a", "1"))
        request = DeployRequest(image=IMAGE, removed=removed)
        return release_fleet(self.context(self.fleet(skills, **settings)), request, config=SETTINGS)

    def plan(self, skills: dict[str, Any], *removed: str) -> DeploymentPlan:
        return plan_deployment(self.context(self.fleet(skills)), DeployRequest(image=IMAGE, removed=removed))

    def register(self, skill: str) -> None:
        """Register a champion of a skill, be it new to the fleet or not."""
        registry = Registry(self.fleet({skill: {}}), self.registry.client)
        add_version(registry, self.store, skill, "champion")

    def services(self, skills: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the Services of a release of version 1 of these skills."""
        values = values_of(fleet(skills=skills), **dict.fromkeys(skills, "1"))
        return parse_objects(self.helm.template(values.to_json())).services

    def put(self, kind: str, resource: str, name: str, owner: str | None) -> None:
        """Put an object of a Helm release, or of none, on the cluster."""
        metadata: dict[str, Any] = {"name": name}
        if owner:
            annotations = {"meta.helm.sh/release-name": owner, "meta.helm.sh/release-namespace": "models"}
            metadata |= {"annotations": annotations, "labels": {"app.kubernetes.io/managed-by": "Helm"}}
        version = "apps/v1" if kind == "Deployment" else "v1"
        document = {"apiVersion": version, "kind": kind, "metadata": metadata}
        self.server[path_of(version, resource, "models", name)] = document


@pytest.fixture
def site(showroom: Showroom) -> Iterator[Site]:
    """Version 1 of `view` and `wheel` is registered, and nothing is deployed."""
    place = Site(showroom.registry, showroom.store, showroom.server, showroom.cluster, showroom.helm)
    place.answers = Answers()
    for skill in ("view", "wheel"):
        place.register(skill)
    with answering(place.server, place.answers):
        yield place


@pytest.fixture
def released(site: Site) -> Site:
    """Both skills are deployed in shared pods."""
    values = resolve_target(site.context(site.fleet(BOTH)), DeployRequest(image=IMAGE), None).values
    assert values is not None
    site.helm.upgrade(values.to_json(), "released")
    return site


# -- a skill that goes


def test_a_deployment_that_would_stop_answering_a_skill_is_refused_and_changes_nothing(released: Site) -> None:
    revisions = len(released.helm.made)
    message = (
        r"(?s)the release 'showroom' in the namespace 'models' answers today, and would not answer any more:\n"
        r"  wheel \(Service ai-wheel:9722, v1\): the fleet file has no such skill. Put it back. If its name is `kind` "
        r"now, write `was: wheel` there.\nNothing was changed. To let it go: `coachworks deploy --remove wheel`."
    )
    with pytest.raises(RemovalError, match=message):
        released.deploy({**VIEW, **KIND})  # `wheel`, renamed: there is no model of it
    assert len(released.helm.made) == revisions
    assert not [path for path in released.server if "leases" in path]


def test_a_person_may_let_a_skill_go(released: Site) -> None:
    report = released.deploy(VIEW, "wheel")
    assert (report.status, list(report.skills)) == ("deployed", ["view"])
    assert list(read_values(released.helm.values()).skills) == ["view"]


def test_a_skill_without_a_registered_model_is_not_taken_away(released: Site) -> None:
    released.registry.client.delete_registered_model("showroom.wheel")
    with pytest.raises(
        RemovalError, match=r"wheel \(Service ai-wheel:9722, v1\): no model 'showroom.wheel' is registered"
    ):
        released.deploy(BOTH)
    assert released.plan(BOTH, "wheel").refusal == ""


@pytest.mark.parametrize(
    ("skills", "removed", "message"),
    [
        (
            BOTH,
            "view",
            "must name what would not be answered any more; got 'view'. Nothing would go. Leave",
        ),
        (VIEW, "view", "got 'view'. Only wheel would go. Leave it out"),
        (VIEW, "wheels", r"got 'wheels'. Only wheel would go. Did you mean `wheel`\?"),
    ],
)
def test_a_skill_that_stays_must_not_be_named(
    released: Site, skills: dict[str, Any], removed: str, message: str
) -> None:
    for act in (released.deploy, released.plan):
        with pytest.raises(InvalidConfigError, match=f"--remove .*{message}"):
            act(skills, removed)
    assert len(released.helm.made) == 1


def test_where_helm_has_lost_its_history_the_services_on_the_cluster_count(released: Site) -> None:
    released.helm.made.clear()
    with pytest.raises(RemovalError, match=r"wheel \(Service ai-wheel:9722, v1\): the fleet file has no such skill"):
        released.deploy(VIEW)


def test_the_release_of_another_fleet_is_not_taken_over_by_accident(released: Site) -> None:
    released.helm.upgrade({**released.helm.values(), "fleet": "boats", "releaseDigest": "another"}, "of boats")
    message = (
        r"wheel \(.*\): the fleet 'showroom' has no such skill. The release is that of the fleet 'boats': set another "
        "`spec.deploy.release`."
    )
    with pytest.raises(RemovalError, match=message):
        released.deploy(VIEW)


# -- an address that changes


@pytest.mark.parametrize("serving", [{"serviceName": "wheel", "port": 9722}, {"serviceName": "ai-wheel", "port": 80}])
def test_another_name_or_port_takes_the_address_away(released: Site, serving: dict[str, Any]) -> None:
    new = f"{serving['serviceName']}:{serving['port']}"
    message = (
        rf"wheel \(Service ai-wheel:9722, v1\): it would be at {new}. To keep it: "
        r"`serving: {serviceName: ai-wheel, port: 9722}` of wheel."
    )
    with pytest.raises(RemovalError, match=message):
        released.deploy({**VIEW, "wheel": serving})
    assert released.deploy({**VIEW, "wheel": serving}, "wheel").skills["wheel"].port == serving["port"]


def test_a_service_that_would_answer_another_skill_counts_as_gone(released: Site) -> None:
    released.register("kind")
    with pytest.raises(
        RemovalError, match=r"wheel \(.*no such skill. The Service ai-wheel would answer kind. Put it back"
    ):
        released.deploy({**VIEW, "kind": WHEEL["wheel"]})


def test_another_layout_keeps_the_address_until_the_service_of_all_shared_skills_would_go(released: Site) -> None:
    own = {name: {**serving, "layout": "dedicated"} for name, serving in BOTH.items()}
    released.deploy({**VIEW, "wheel": own["wheel"]})
    with pytest.raises(
        RemovalError, match=r"showroom \(Service showroom:8080\): no skill of layout shared would be left"
    ):
        released.deploy(own)
    assert released.deploy(own, "showroom").skills["view"].layout == "dedicated"


def test_another_name_of_the_service_of_all_shared_skills_is_refused(released: Site) -> None:
    message = (
        r"showroom \(Service showroom:8080\): it would be at all:8080. To keep it: `spec.deploy.values: {service: {"
    )
    with pytest.raises(RemovalError, match=message):
        released.deploy(BOTH, values={"service": {"name": "all"}})


def test_a_renamed_skill_goes_along_where_its_service_keeps_name_and_port(released: Site) -> None:
    before, kept, moved = (
        released.services(skills) for skills in (BOTH, {**VIEW, "kind": WHEEL["wheel"]}, {**VIEW, **KIND})
    )

    def removals(after: Any, renamed: dict[str, str]) -> list[str]:
        return [str(each) for each in find_removals(before, after, lambda _: ("it is gone.", ""), renamed)]

    assert removals(kept, {"wheel": "kind"}) == []
    assert removals(kept, {"kind": "wheel"}) == [], "a rollback to the earlier name"
    (message,) = removals(moved, {"wheel": "kind"})
    assert message == (
        "wheel (Service ai-wheel:9722, v1): kind, as it is called then, would be at kind:8080. To keep it: "
        "`serving: {serviceName: ai-wheel, port: 9722}` of kind."
    )
    assert removals(released.services(VIEW), {"wheel": "kind"}) == ["wheel (Service ai-wheel:9722, v1): it is gone."]


# -- a plan


def test_a_plan_names_what_would_go_and_that_it_is_refused(released: Site) -> None:
    shown = released.plan(VIEW)
    (removal,) = shown.removals
    assert (removal.name, removal.service, removal.port, removal.version) == ("wheel", "ai-wheel", 9722, "1")
    assert shown.refusal.startswith("the release 'showroom' in the namespace 'models' answers today")
    assert shown.objects["Service ai-wheel"] == "-"
    allowed = released.plan(VIEW, "wheel")
    assert (allowed.removals, allowed.refusal) == (shown.removals, "")


# -- a rollback


def test_a_rollback_takes_no_skill_away_unless_it_is_named(released: Site) -> None:
    released.register("kind")
    released.deploy({**BOTH, **KIND})
    context = released.context(released.fleet({**BOTH, **KIND}))
    for revision, command in ((None, "coachworks rollback --remove kind"), (1, "coachworks rollback 1 --remove kind")):
        with pytest.raises(RemovalError, match=rf"(?s)kind:8080, v1\): that revision does not have it.*`{command}`"):
            roll_back(context, DeployRequest(), revision, config=SETTINGS)
    assert list(read_values(released.helm.values()).skills) == ["view", "wheel", "kind"]
    assert list(roll_back(context, DeployRequest(removed=("kind",)), config=SETTINGS).skills) == ["view", "wheel"]


# -- names that are taken


def test_services_of_another_release_are_noticed_before_anything_is_changed(site: Site) -> None:
    site.put("Service", "services", "view", "boats")
    site.put("Service", "services", "showroom", "boats")
    message = (
        r"names are taken in the namespace 'models':\n"
        r"  Service showroom belongs to the Helm release 'boats'. Choose another name with `spec.deploy.values: "
        r"{service: {name: …}}`, or another `spec.deploy.namespace`.\n"
        r"  Service view belongs to the Helm release 'boats'. Choose another name with `serving: {serviceName: …}` of "
        r"view, or another `spec.deploy.namespace`.\nNothing was changed."
    )
    with pytest.raises(NameTakenError, match=message):
        site.deploy(BOTH)
    assert not site.helm.made
    shown = site.plan(BOTH)
    assert [(each.kind, each.name) for each in shown.conflicts] == [("Service", "showroom"), ("Service", "view")]
    assert shown.refusal.startswith("names are taken")


def test_an_object_of_no_release_is_taken_too_and_may_be_deleted(site: Site) -> None:
    site.put("Deployment", "deployments", "showroom-shared", None)
    message = (
        r"Deployment showroom-shared exists and belongs to no Helm release. Choose another name with "
        r"`spec.deploy.release`, which is 'showroom' now, .* `kubectl -n models delete deployment showroom-shared`."
    )
    with pytest.raises(NameTakenError, match=message):
        site.deploy(VIEW)


def test_a_name_that_is_taken_is_noticed_when_a_skill_is_added_and_own_objects_are_not_taken(
    released: Site,
) -> None:
    released.register("kind")
    released.put("Service", "services", "kind", "showroom")
    assert "kind" in released.deploy({**BOTH, **KIND}).skills
    released.put("Service", "services", "wheel", "boats")
    with pytest.raises(NameTakenError, match="Service wheel belongs to the Helm release 'boats'"):
        released.deploy({**VIEW, "wheel": {}, **KIND}, "wheel")


def test_an_object_that_may_not_be_read_is_left_to_helm(site: Site) -> None:
    site.server[path_of("v1", "serviceaccounts", "models", "showroom")] = (403, "forbidden")
    assert site.plan(VIEW).conflicts == ()
