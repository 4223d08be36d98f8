"""Damage to what register reads: nothing is registered from it, and the heads of champions are restored."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from coachworks.digests import digest_bytes
from coachworks.errors import DamagedError, DataError
from coachworks.models.keys import head_key, head_manifest_key
from coachworks.tracking import open_client, tracking_of, translated
from components.register.step import register

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "a flipped bit": lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
    "zeros": lambda data: data[: len(data) // 2].ljust(len(data), b"\0"),
    "a cut": lambda data: data[: len(data) // 2],
    "nothing left": lambda data: b"",
}


def one(result):
    return result.report.skills["view"]


@pytest.mark.usefixtures("database")
def test_a_champion_s_head_is_restored_from_its_evaluation_though_nothing_else_is_to_do(chain, alone, store):
    evaluate = chain.evaluation()
    digest = one(register(alone, evaluate)).head_digest
    keys = [head_key(digest), head_manifest_key(digest)]
    whole = {key: store.read(key) for key in keys}
    for key in keys:
        for damage in DAMAGE.values():
            store.write(key, damage(whole[key]))
            assert one(register(alone, evaluate)).status == "champion"
            assert store.read(key) == whole[key]
    for key in keys:
        store.remove(key)
    register(alone, evaluate)
    assert {key: store.read(key) for key in keys} == whole


def test_a_champion_s_head_is_restored_from_mlflow_where_its_evaluation_is_gone(chain, alone, client, store):
    first = chain.evaluation()
    digest = one(register(alone, first)).head_digest
    key, manifest_key = head_key(digest), head_manifest_key(digest)
    whole, manifest = store.read(key), store.read(manifest_key)
    worse = chain.evaluation(noise=0.2, seed=1)
    shutil.rmtree(store.root / "results" / "evaluate" / first)
    store.write(key, DAMAGE["zeros"](whole))
    store.remove(manifest_key)
    assert one(register(alone, worse)).status == "challenger"
    assert (store.read(key), store.read(manifest_key)) == (whole, manifest)


def test_a_challenger_does_not_win_against_a_damaged_champion(chain, alone, client, store):
    champion = one(register(alone, chain.evaluation()))
    key = head_key(champion.head_digest)
    store.write(key, DAMAGE["zeros"](store.read(key)))
    after = one(register(alone, chain.evaluation(noise=0.3, seed=1)))
    assert (after.status, after.champion_version) == ("challenger", "1")
    assert after.champion_metric == 1


def test_a_champion_whose_head_is_lost_everywhere_makes_room_by_the_printed_command(chain, alone, client, store):
    first = chain.evaluation()
    digest = one(register(alone, first)).head_digest
    later = chain.evaluation(noise=0.1, seed=1)
    store.write(head_key(digest), b"")
    shutil.rmtree(store.root / "results" / "evaluate" / first)
    artifacts = list(store.root.rglob("model/head.safetensors"))
    assert len(artifacts) == 1
    artifacts[0].write_bytes(DAMAGE["a flipped bit"](artifacts[0].read_bytes()))
    with pytest.raises(
        DataError, match=r"'showroom.view', heads/.* is damaged or missing, .* in MLflow too: "
    ) as caught:
        register(alone, later)
    command = re.search(r"`(python -c .*)`; then `coachworks run`", str(caught.value))
    assert command, str(caught.value)
    exec(shlex.split(command[1])[2])  # noqa: S102 — in this process: importing MLflow again takes seconds
    after = one(register(alone, later))
    assert (after.status, after.champion_version, after.version) == ("champion", "2", "2")
    assert store.read(head_key(after.head_digest))


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("results/evaluate/*/view/head.safetensors", "a flipped bit"),
        ("results/evaluate/*/view/predictions.parquet", "zeros"),
        ("results/evaluate/*/view/mistakes.jpg", "a cut"),
        ("results/split/*/labels.parquet", "nothing left"),
        ("results/augment/*/policy.json", "a flipped bit"),
        ("results/evaluate/*/report.json", "zeros"),
        ("results/train/*/report.json", "a cut"),
        ("results/embed/*/report.json", "a flipped bit"),
    ],
)
def test_nothing_reaches_the_registry_from_a_damaged_result(chain, alone, client, store, file, damage):
    evaluate = chain.evaluation()
    (path,) = store.root.glob(file)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with pytest.raises(
        DamagedError, match=r"'results/.* of the store .* is damaged: .*coachworks store verify --repair"
    ):
        register(alone, evaluate)
    assert client.search_registered_models() == []
    assert client.get_experiment_by_name("showroom/view") is None
    assert not list(store.list("heads"))


def test_a_head_of_an_earlier_version_is_compared_with_the_report_of_evaluate(chain, alone, client, store):
    evaluate = chain.evaluation()
    folder = store.root / "results" / "evaluate" / evaluate
    (folder / ".tree").unlink()  # results of earlier versions have no manifest
    head = folder / "view" / "head.safetensors"
    head.write_bytes(DAMAGE["a flipped bit"](head.read_bytes()))
    with pytest.raises(DamagedError, match=r"view/head.safetensors' .* is damaged: its SHA-256 must be"):
        register(alone, evaluate)
    assert client.search_registered_models() == []


DATABASE: dict[str, Callable[[bytes], bytes]] = {
    "no header": lambda data: bytes(100) + data[100:],
    "zeros": lambda data: data[:4096] + bytes(len(data) - 4096),
    "a cut": lambda data: data[: len(data) // 2],
    "nothing left": lambda data: b"",
}


@pytest.mark.parametrize("damage", list(DATABASE))
def test_a_damaged_database_is_not_taken_for_a_busy_or_a_new_one(fleet, database, damage):
    tracking = tracking_of(fleet)
    (database.parent / "artifacts" / "1").mkdir(parents=True)
    database.write_bytes(DATABASE[damage](database.read_bytes()))
    message = rf"MLflow's database {database} is damaged: .*`mkdir -p .* && mv .*`: `coachworks run` then registers"
    with pytest.raises(DataError, match=message), translated(tracking):
        open_client(tracking).create_experiment("some")


@pytest.mark.slow  # the tables of a new database take seconds
@pytest.mark.parametrize("damage", ["no header", "nothing left"])
def test_a_damaged_database_is_replaced_by_the_printed_command(chain, alone, database, damage):
    evaluate = chain.evaluation()
    champion = one(register(alone, evaluate)).head_digest
    database.write_bytes(DATABASE[damage](database.read_bytes()))
    with pytest.raises(DataError, match=r"MLflow's database .* is damaged") as caught:
        register(alone, evaluate)
    subprocess.run(str(caught.value).split("`")[1], shell=True, check=True)  # noqa: S602 — a person pastes it
    code = (  # MLflow keeps a database open for the life of the process
        "import sys; from coachworks.fleet.model import Fleet; from components.register.step import register;"
        "view = register(Fleet.from_json(sys.argv[1]), sys.argv[2]).report.skills['view'];"
        "print(view.status, view.champion_version, view.head_digest)"
    )
    command = [sys.executable, "-c", code, alone.to_json(), evaluate]
    after = subprocess.check_output(command, text=True)
    assert after.split() == ["champion", "1", champion]


def test_recorded_answers_that_mlflow_gives_back_damaged_are_refused_with_a_way_out(chain, alone, client, store):
    first = chain.evaluation(noise=0.62, skills=["view"], photos=range(40))
    register(alone, first)
    [version] = client.search_model_versions("name = 'showroom.view'")
    [file] = Path(str(tracking_of(alone).database)).parent.rglob("test/predictions.parquet")
    assert version.tags["predictions_digest"] == digest_bytes(file.read_bytes())
    whole = file.read_bytes()
    shutil.rmtree(store.root / "results" / "evaluate" / first)
    better = chain.evaluation(seed=1, backbone="c" * 64, skills=["view"], photos=range(10, 60))

    file.write_bytes(DAMAGE["a flipped bit"](whole))
    with pytest.raises(
        DataError, match=r"artifact test/predictions.parquet of version 1 must be \w{64}; got"
    ) as raised:
        register(alone, better)
    assert "Move the alias `champion` to another version of 'showroom.view' in MLflow" in str(raised.value)
    client.set_registered_model_alias("showroom.view", "champion", "2")
    assert one(register(alone, better)).champion_version == "2"

    client.set_registered_model_alias("showroom.view", "champion", "1")
    client.delete_model_version_tag("showroom.view", "1", "predictions_digest")
    file.write_bytes(whole)
    again = chain.evaluation(seed=2, backbone="c" * 64, skills=["view"], photos=range(10, 60))
    assert "on the same 30 test photos" in one(register(alone, again)).reason, "versions without the tag are read"
