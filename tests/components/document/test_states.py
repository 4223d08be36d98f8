"""Champion, packaged and deployed: three states of a version, from the report of register, the package and MLflow."""

import html
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from registered import Registry

from coachworks.fleet.model import Fleet
from coachworks.progress import SILENT
from coachworks.tracking import tracking_of
from components.deploy.models.deployment_tags import Deployment, record_deployed
from components.document import rendering
from components.document.content import Conclusion, Document
from components.document.deployments import read_deployments
from components.document.fleet_page import fleet_document
from components.document.pictures import Pictures
from components.document.run_records import read_records
from components.document.skill_page import skill_document
from components.document.step import document

COLOUR = {"colour": {"labels": ["red", "blue"]}}
SEVERAL = COLOUR | {"view": {"labels": ["front", "rear"], "serving": {"serviceName": "ai-view", "port": 9722}}}


@dataclass(frozen=True)
class Pages:
    """Pages of a run, without the PDFs, which take longer."""

    folder: Path
    fleet: Document
    skills: dict[str, Document]

    def text(self, page: str = "index") -> str:
        """Return the visible text of a page."""
        return visible_text(rendering.html(self.skills.get(page, self.fleet), self.folder))

    @property
    def conclusion(self) -> Conclusion:
        """The conclusion about the fleet."""
        [block] = self.fleet.sections[0].blocks
        assert isinstance(block, Conclusion)
        return block


def visible_text(source: str) -> str:
    visible = re.sub(r"<style>.*?</style>|<[^>]+>", " ", source, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(visible))


def pages(chain) -> Pages:
    """Return the pages that document would write."""
    deployments = read_deployments(chain.fleet, tracking_of(chain.fleet), SILENT)
    record, skills = read_records(chain.store, chain.fleet, chain.results["package"], deployments)
    folder = Path(chain.store.uri)
    pictures = Pictures(folder, "page", chain.store)
    return Pages(
        folder,
        fleet_document(record, skills, pictures, "index"),
        {skill.name: skill_document(skill, pictures, "index", 0) for skill in skills},
    )


def deploy(fleet: Fleet, **versions: str) -> None:
    """Tag versions as `coachworks deploy` does."""
    at, digest = "2026-11-27T14:05:00+00:00", "0f" * 6
    deployment = Deployment(
        namespace="models", release="cars", revision=2, release_digest=digest, at=at, by="ann@laptop"
    )
    recorded = record_deployed(fleet, deployment, versions)
    assert len(recorded.deployed) == len(versions)


@pytest.fixture
def registry(build, empty_database: Path):
    """Function that fabricates a run, and registers versions 1 to 4 of its skills in an embedded MLflow."""

    def make(**settings):
        chain = build(skills=SEVERAL, **settings)
        registered = Registry.embedded(chain.fleet, empty_database)
        for skill in chain.fleet.spec.skills:
            for _ in range(4):
                registered.add(skill, None)
        return chain

    return make


def test_skills_whose_champion_stays_are_packaged_and_no_failure(build):
    run = pages(build(skills=SEVERAL, challengers=("colour", "view"), pictures=False))
    assert (run.conclusion.title, run.conclusion.tone) == ("All 2 skills are packaged", "good")
    assert "Outcome of this run: 2 challengers (the champion stays)." in run.conclusion.text
    assert "0 of" not in run.text()


def test_the_figures_of_a_challenger_are_said_to_be_those_of_its_version(build):
    text = pages(build(skills=COLOUR, challengers=("colour",))).text("colour")
    assert "Version 4 is the challenger. On 10 test photos" in text
    assert "balanced accuracy of version 4" in text
    assert "Version 3 is better on the same test photos. Version 3, from an earlier run, stays packaged." in text
    assert "3 packaged version" in text
    assert "Version of this run 4 Champion version 3 Packaged version 3" in text


def test_packaged_is_not_deployed(registry):
    """A deployment that was refused leaves the earlier version deployed."""
    chain = registry()
    for page in ("colour", "index"):
        assert "When this document was written, MLflow recorded no deployment." in pages(chain).text(page)
    deploy(chain.fleet, colour="2")
    text = pages(chain).text("colour")
    assert "Version 3 is packaged. When this document was written, MLflow recorded as deployed: version 2" in text
    assert "in the release cars of the namespace models since 27 November 2026, 14:05 UTC" in text
    assert "2 deployed version" in text
    assert "a pipeline deploys after it has written its documents" in text
    assert "in service" not in text
    assert "MLflow recorded 1 skill as deployed, in the release cars (models)." in pages(chain).text()


def test_a_deployment_gives_other_documents_once(registry):
    chain = registry()
    first = document(chain.fleet, chain.package)
    assert document(chain.fleet, chain.package).reused
    deploy(chain.fleet, colour="3")
    second = document(chain.fleet, chain.package)
    assert second.key != first.key
    assert document(chain.fleet, chain.package).reused
    assert "MLflow recorded as deployed" in (second.path / "colour.html").read_text("utf-8")
    deploy(chain.fleet, view="3")  # the release no longer holds the other skill
    assert "recorded no deployment" in pages(chain).text("colour")


@pytest.mark.parametrize(
    ("comparison", "advice"),
    [
        (
            {"champion_metric": 0.9, "challenger_metric": 0.8, "probability_better": 0.02},
            "Nothing needs to be done: version 3 is not worse.",
        ),
        (
            {"champion_metric": 0.85, "challenger_metric": 0.86, "probability_better": 0.64},
            "Version 4 was better in 64 % of the bootstrap replicates, which is not certain enough: add test photos",
        ),
        (
            {"champion_metric": 0.9, "challenger_metric": None},
            "Compare versions 4 and 3 in MLflow; move the alias ‘champion’ if the new one is to be used.",
        ),
    ],
)
def test_the_advice_on_a_challenger_follows_its_comparison(build, comparison, advice):
    chain = build(skills=COLOUR, challengers=("colour",), registrations={"colour": comparison}, pictures=False)
    text = pages(chain).text("colour")
    assert advice in text
    assert "promote" not in text


def test_a_range_of_one_value_is_that_value(build):
    run = pages(build(skills=COLOUR, pictures=False))
    [conclusion, *_] = run.skills["colour"].sections[0].blocks
    assert isinstance(conclusion, Conclusion)
    assert " %" not in conclusion.text, "the space before a percent sign breaks no line"
    assert re.search(r"the balanced accuracy of this run is \d+\xa0%\. ", run.conclusion.text)
    ends = re.findall(r"between ([\d.]+ %) and ([\d.]+ %)", run.text("colour"))
    assert ends
    assert all(low != high for low, high in ends)


def test_a_deployed_skill_is_asked_at_its_service(registry):
    chain = registry()
    deploy(chain.fleet, view="3")
    run = pages(chain)
    for page in ("view", "index"):
        text = run.text(page)
        assert "http://ai-view.models.svc:9722/v1/predict" in text
        assert "kubectl --namespace models port-forward service/ai-view 8080:9722 &" in text
        assert "localhost:3000" not in text
    assert "http://localhost:3000/v1/predict?skills=colour" in run.text("colour")


def test_a_skill_that_will_be_deployed_is_asked_at_its_service_once_it_is(build):
    chain = build(skills=COLOUR, deploy={"namespace": "prod"}, pictures=False)
    text = pages(chain).text("colour")
    assert "MLflow recorded no deployment of it. Once it is deployed: Pods in the namespace prod reach" in text
    assert "http://colour.prod.svc:8080/v1/predict" in text


def test_a_renamed_skill_is_asked_at_the_service_that_it_keeps(build):
    renamed = {"colour": COLOUR["colour"] | {"was": "paint"}}
    text = pages(build(skills=renamed, deploy={"namespace": "prod"}, pictures=False)).text("colour")
    assert "http://paint.prod.svc:8080/v1/predict" in text
    assert "port-forward service/paint 8080:8080" in text


def test_documents_are_written_although_the_registry_cannot_be_read(build, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("COACHWORKS_TRACKING_PATIENCE_S", "0")
    text = pages(build(skills=COLOUR, pictures=False)).text("colour")
    assert "Whether a version is deployed is not known: the registry could not be read." in text


def test_a_champion_that_is_not_in_the_package_has_the_reason_of_package(build):
    packaged = {"skills": {}, "left_out": {"colour": "its head reads another backbone"}, "bento": None, "bytes": 0}
    run = pages(build(skills=COLOUR, reports={"package": packaged}, pictures=False))
    assert run.conclusion.tone == "bad"
    text = run.text("colour")
    assert "Good enough, not packaged" in text
    assert "No version is packaged: its head reads another backbone." in text
