"""Train killed with SIGKILL and run again: the files are those of a run that nothing disturbed."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from embedded_store import GOOD, PHOTOS, embedded, fleet_of, write_features

from coachworks.store import FolderStore
from components.train.step import train

_TRAIN_AND_DIE = """
import os, signal, sys
from embedded_store import fleet_of
from coachworks import feature_table
from coachworks.store import FolderStore
from components.train import step
import {module}

feature_table.IN_MEMORY_BYTES = 0
times = 0
untouched = {module}.{name}
def deadly(*arguments, **settings):
    global times
    times += 1
    if times == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return untouched(*arguments, **settings)
{module}.{name} = deadly
step.train(fleet_of(FolderStore(sys.argv[1])), sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("coachworks.feature_table", "FeatureFile.__setitem__"),
        ("components.train.reduction", "project"),
        ("components.train.linear", "fit"),
        ("coachworks.models.head", "Head.save"),
    ],
)
def test_a_killed_train_leaves_nothing_and_the_next_gives_the_same_bytes(
    tmp_path: Path, module: str, name: str
) -> None:
    stores = [FolderStore(tmp_path / each) for each in ("undisturbed", "killed")]
    keys = []
    for store in stores:
        write_features(store, range(PHOTOS), 10)
        keys.append(embedded(store, {"hard": GOOD, "good": GOOD}))
    script = _TRAIN_AND_DIE.format(module=module, name=name)
    environment = {"PYTHONPATH": f"{Path.cwd()}:{Path.cwd() / 'tests/support'}", "PATH": ""}
    killed = subprocess.run([sys.executable, "-c", script, str(stores[1].root), keys[1]], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not list(stores[1].list("results/train"))
    results = [train(fleet_of(store), key) for store, key in zip(stores, keys, strict=True)]
    first, second = ({file.relative_to(r.path): file.read_bytes() for file in r.path.rglob("*.safetensors")}
                     for r in results)  # fmt: skip
    assert len(first) == 5  # two heads of each skill, and the axes
    assert first == second
