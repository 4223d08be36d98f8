"""Register with a real tracking server: the same guarantees as embedded, also over an unreliable connection."""

import threading
import uuid
from collections import Counter
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from coachworks.context import open_context
from coachworks.errors import TransientError
from coachworks.progress import SILENT
from coachworks.results import NotDoneError
from coachworks.tracking import tracking_of
from components.register.step import register
from faults import LOST, FaultyProxy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
WRITES = {"POST", "PUT", "PATCH", "DELETE"}
CANDIDATES = ["knn", "linear", "naive-bayes"]


@pytest.fixture(scope="module")
def server(tmp_path_factory, start_mlflow):
    with start_mlflow(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture
def fleet(fleet):
    """A fleet under a name of its own, for all tests share one server."""
    metadata = fleet.metadata.model_copy(update={"name": f"cars-{uuid.uuid4().hex[:8]}"})
    return fleet.model_copy(update={"metadata": metadata})


@pytest.fixture
def recording_to(fleet):
    """The fleet with its first skill only, recording to an address."""

    def at(address, skills=("view",)):
        update = {"tracking": address, "skills": {name: fleet.spec.skills[name] for name in skills}}
        return fleet.model_copy(update={"spec": fleet.spec.model_copy(update=update)})

    return at


class Recorded:
    """Runs and versions of a fleet's skill `view` on a server, deleted ones included."""

    def __init__(self, address, fleet):
        self.client, self.model = MlflowClient(address), f"{fleet.name}.view"
        experiment = self.client.get_experiment_by_name(f"{fleet.name}/view")
        self.runs = self.client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL)
        self.versions = self.client.search_model_versions(f"name = '{self.model}'")

    def of(self, kind, stage="active"):
        return [
            run for run in self.runs if run.data.tags["coachworks.kind"] == kind and run.info.lifecycle_stage == stage
        ]

    def is_recorded_once(self):
        """One finished run, one finished run per candidate in it, one version with all of its files."""
        [run], candidates, [version] = self.of("run"), self.of("candidate"), self.versions
        assert sorted(candidate.info.run_name for candidate in candidates) == CANDIDATES
        assert {candidate.data.tags["mlflow.parentRunId"] for candidate in candidates} == {run.info.run_id}
        assert {each.info.status for each in (run, *candidates)} == {"FINISHED"}
        assert version.run_id == run.info.run_id
        assert len(run.inputs.dataset_inputs) == 1
        files = {entry.path for entry in self.client.list_artifacts(run.info.run_id, "model")}
        assert {"model/head.safetensors", "model/MLmodel", "model/manifest.json"} <= files
        assert str(self.client.get_registered_model(self.model).aliases["champion"]) == version.version


def first_of_each(fate):
    """Every kind of writing request meets `fate` the first time it is made."""
    seen = Counter()

    def choose(method, path):
        path = "artifact" if "/mlflow-artifacts/" in path else path.partition("?")[0]
        seen[method, path] += 1
        return fate if method in WRITES and seen[method, path] == 1 else None

    return choose


def test_a_server_is_filled_like_an_embedded_registry(chain, recording_to, server, store):
    fleet = recording_to(server, ("view", "light"))
    first = chain.evaluation(noise=0.62)
    report = register(fleet, first).report
    assert report.tracking == server
    assert {skill.status for skill in report.skills.values()} == {"champion"}
    assert register(fleet, first).reused
    assert register(fleet, first, context=open_context(fleet, tracking=tracking_of, dry=True)).reused
    with pytest.raises(NotDoneError, match="the registry lacks the results of evaluate"):
        register(fleet, chain.evaluation(seed=5), context=open_context(fleet, tracking=tracking_of, dry=True))
    second = register(fleet, chain.evaluation(seed=5)).report.skills["view"]
    assert (second.status, second.champion_version) == ("champion", "2")
    recorded = Recorded(server, fleet)
    version = recorded.client.get_model_version_by_alias(recorded.model, "champion")
    assert version.tags["head_digest"] == second.head_digest
    assert second.compared_run_id == recorded.client.get_model_version(recorded.model, "1").run_id
    paths = [entry.path for entry in recorded.client.list_artifacts(version.run_id, "model")]
    assert "model/head.safetensors" in paths
    assert len(recorded.versions) == 2
    assert not (store.root / "mlflow").exists()


def test_the_key_of_the_result_does_not_depend_on_the_server_s_address(chain, recording_to, server, monkeypatch):
    evaluation = chain.evaluation(skills=["view"])
    first = register(recording_to(server), evaluation)
    with FaultyProxy(server, error_rate=0) as other:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", other.url)
        again = register(recording_to("https://mlflow.example"), evaluation)
        assert other.counts["passed"] > 0
    assert again.reused
    assert again.key == first.key


@pytest.mark.parametrize("moment", ["experiments/get-by-name", "runs/create", "artifacts/", "model-versions/create"])
def test_register_waits_for_a_server_that_is_away_for_a_moment(chain, recording_to, server, moment):
    notes, gone = [], threading.Event()
    progress = SimpleNamespace(task=SILENT.task, note=notes.append)

    def choose(method, path):
        if moment in path and not gone.is_set():
            gone.set()
            proxy.down = True
            threading.Timer(2, setattr, (proxy, "down", False)).start()
            return LOST
        return None

    with FaultyProxy(server, choose=choose) as proxy:
        fleet = recording_to(proxy.url)
        register(
            fleet,
            chain.evaluation(skills=["view"]),
            context=open_context(fleet, tracking=tracking_of, progress=progress),
        )
        assert proxy.counts["down"] > 0
    Recorded(server, fleet).is_recorded_once()
    assert any(f"waiting up to 300 s: the tracking server {proxy.url} does not answer" in note for note in notes)
    assert any("for the tracking server" in note for note in notes if note.startswith("waited"))


def test_lost_replies_create_nothing_twice(chain, recording_to, server):
    with FaultyProxy(server, choose=first_of_each(LOST)) as proxy:
        fleet = recording_to(proxy.url)
        registration = register(fleet, chain.evaluation(skills=["view"])).report.skills["view"]
        assert proxy.counts[LOST] > 8
    assert (registration.status, registration.version) == ("champion", "1")
    recorded = Recorded(server, fleet)
    recorded.is_recorded_once()
    assert (recorded.of("run", "deleted"), recorded.of("candidate", "deleted")) == ([], [])


def test_even_where_mlflow_s_own_client_repeats_requests_one_of_each_is_left(chain, recording_to, server, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    with FaultyProxy(server, choose=first_of_each(LOST)) as proxy:
        fleet = recording_to(proxy.url)
        register(fleet, chain.evaluation(skills=["view"]))
    Recorded(server, fleet).is_recorded_once()


def test_a_fifth_of_all_requests_may_fail(chain, recording_to, server):
    with FaultyProxy(server, error_rate=0.2, seed=3) as proxy:
        fleet = recording_to(proxy.url)
        register(fleet, chain.evaluation(skills=["view"]))
        assert proxy.spoilt > 5
    Recorded(server, fleet).is_recorded_once()


def test_a_head_that_only_the_server_has_is_fetched_over_an_unreliable_connection(chain, recording_to, server, store):
    first = register(recording_to(server), chain.evaluation(noise=0.62, skills=["view"])).report.skills["view"]
    (store.root / "heads" / f"{first.head_digest}.safetensors").unlink()
    with FaultyProxy(server, error_rate=0.3, seed=1) as proxy:
        registration = register(recording_to(proxy.url), chain.evaluation(seed=1, skills=["view"])).report.skills[
            "view"
        ]
    assert (registration.status, registration.version) == ("champion", "2")


def test_an_interrupted_registration_is_completed_and_not_repeated(chain, recording_to, server, monkeypatch):
    evaluation = chain.evaluation(skills=["view"])
    uploads, mended = [], threading.Event()

    def choose(method, path):
        uploads.extend([path] if method == "PUT" else [])
        return LOST if uploads[3:] and not mended.is_set() else None

    with FaultyProxy(server, choose=choose) as proxy:
        fleet = recording_to(proxy.url)
        with monkeypatch.context() as context:
            context.setenv("COACHWORKS_TRACKING_PATIENCE_S", "0")
            with pytest.raises(TransientError, match=r"does not answer .*run again: what is done is kept"):
                register(fleet, evaluation)
        [begun] = Recorded(server, fleet).of("run")
        assert begun.info.status == "RUNNING"
        mended.set()
        register(fleet, evaluation)
    recorded = Recorded(server, fleet)
    recorded.is_recorded_once()
    assert recorded.of("run")[0].info.run_id == begun.info.run_id
    assert recorded.of("run", "deleted") == []


@pytest.mark.parametrize("together", ["runs/create", "model-versions/create", "runs/log-batch"])
@pytest.mark.parametrize("status", ["passed", "failed"])
def test_two_registrations_at_once_end_with_one_of_each(chain, recording_to, server, together, status):
    meet = threading.Barrier(2, timeout=20)
    evaluation = chain.evaluation(skills=["view"], status=status)
    results, failed = [], []

    def choose_for(number):
        waited = []

        def choose(method, path):
            if together in path and not waited:
                waited.append(number)
                try:
                    meet.wait()
                except threading.BrokenBarrierError:
                    return
            return

        return choose

    def take_part(address):
        try:
            results.append(register(recording_to(address), evaluation))
        except Exception as err:
            failed.append(err)

    with FaultyProxy(server, choose=choose_for(1)) as one, FaultyProxy(server, choose=choose_for(2)) as two:
        threads = [threading.Thread(target=take_part, args=(proxy.url,)) for proxy in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []
    recorded = Recorded(server, recording_to(server))
    if status == "passed":
        recorded.is_recorded_once()
        assert {result.key for result in results} == {results[0].key}
        assert {result.report.skills["view"].version for result in results} == {recorded.versions[0].version}
    else:
        assert len(recorded.of("run")) == 1
        assert sorted(candidate.info.run_name for candidate in recorded.of("candidate")) == CANDIDATES


def test_a_champion_set_during_the_comparison_is_the_one_to_beat(chain, recording_to, server):
    """The champion changes between the comparison and the promotion, and it is better than the challenger."""
    fleet = recording_to(server)
    register(fleet, chain.evaluation(noise=0.65, skills=["view"]))
    better, middling = chain.evaluation(seed=1, skills=["view"]), chain.evaluation(noise=0.55, seed=2, skills=["view"])
    overtaken = []

    def choose(method, path):
        if "registered-models/alias" in path and not overtaken:
            overtaken.append(register(recording_to(server), better))

    with FaultyProxy(server, choose=choose) as proxy:
        registration = register(recording_to(proxy.url), middling).report.skills["view"]
    assert overtaken[0].report.skills["view"].status == "champion"
    assert registration.status == "challenger"
    assert str(Recorded(server, fleet).client.get_registered_model(f"{fleet.name}.view").aliases["champion"]) == "3"


def test_a_server_renames_the_model_of_a_renamed_skill_even_if_replies_get_lost(chain, recording_to, server):
    before = recording_to(server)
    register(before, chain.evaluation(noise=0.62, skills=["view"]))
    skill = before.spec.skills["view"].model_copy(update={"was": "view"})
    after = before.model_copy(update={"spec": before.spec.model_copy(update={"skills": {"angle": skill}})})
    evaluation = chain.evaluation(seed=1, skills=["angle"])
    with pytest.raises(NotDoneError):
        register(after, evaluation, context=open_context(after, tracking=tracking_of, dry=True))
    with FaultyProxy(server, choose=first_of_each(LOST)) as proxy:
        elsewhere = after.model_copy(update={"spec": after.spec.model_copy(update={"tracking": proxy.url})})
        entry = register(elsewhere, evaluation).report.skills["angle"]
        assert proxy.counts[LOST] > 8
    assert (entry.status, entry.version) == ("champion", "2")
    client = MlflowClient(server)
    names = {model.name for model in client.search_registered_models(f"name LIKE '{before.name}.%'")}
    assert names == {f"{before.name}.angle"}
    assert client.get_registered_model(f"{before.name}.angle").tags["was"] == "view"
    assert {version.version for version in client.search_model_versions(f"name = '{before.name}.angle'")} == {"1", "2"}


@pytest.mark.parametrize("first", ["better", "worse"])
def test_a_promotion_does_not_overwrite_a_better_champion_that_came_since_its_look(chain, recording_to, server, first):
    """Two machines compare with the same champion; one is held up right before it sets the alias."""
    register(recording_to(server), chain.evaluation(noise=0.62, skills=["view"]))
    evaluations = {
        "better": chain.evaluation(seed=1, skills=["view"]),
        "worse": chain.evaluation(noise=0.35, seed=2, skills=["view"]),
    }
    aliases, at_the_alias, other_done = [], threading.Event(), threading.Event()

    def choose(method, path):
        if method == "POST" and path.endswith("registered-models/alias"):
            aliases.append(path)
            if len(aliases) == 2:  # challenger, then champion
                at_the_alias.set()
                other_done.wait(4)
        return

    second = "worse" if first == "better" else "better"
    with FaultyProxy(server, choose=choose) as proxy:
        held_up = threading.Thread(target=register, args=(recording_to(proxy.url), evaluations[first]))
        held_up.start()
        assert at_the_alias.wait(60)
        register(recording_to(server), evaluations[second])
        other_done.set()
        held_up.join(120)
    client, model = MlflowClient(server), f"{recording_to(server).name}.view"
    registered = client.get_registered_model(model)
    assert not [name for name in registered.tags if name.startswith("coachworks.promoting")]
    version = client.get_model_version(model, registered.aliases["champion"])
    assert version.tags["coachworks.evaluate"] == evaluations["better"]
    judged = {
        each.tags["coachworks.evaluate"]: each.tags["coachworks.judged"]
        for each in client.search_model_versions(f"name = '{model}'")
    }
    assert judged[evaluations["better"]] == "champion"
    assert set(evaluations.values()) <= set(judged)
