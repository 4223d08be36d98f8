"""A pod's variables from mounted Secrets and ConfigMaps."""

from pathlib import Path

from coachworks.settings import take_mounted_environment


def test_entries_of_mounted_objects_become_variables_the_first_wins_and_what_is_set_stays(tmp_path: Path) -> None:
    files = {
        "0-keys/AWS_ACCESS_KEY_ID": "mine",
        "0-keys/..data": "not a variable",
        "1-places/AWS_ACCESS_KEY_ID": "another",
        "1-places/MLFLOW_TRACKING_URI": "https://mlflow.example",
        "1-places/AWS_REGION": "eu",
        "1-places/ca.crt": "not a variable",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    environ = {"AWS_REGION": "set before"}
    take_mounted_environment(tmp_path, environ)
    assert environ == {
        "AWS_ACCESS_KEY_ID": "mine",
        "MLFLOW_TRACKING_URI": "https://mlflow.example",
        "AWS_REGION": "set before",
    }


def test_where_nothing_is_mounted_nothing_is_taken(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    take_mounted_environment(tmp_path / "none", environ)
    assert environ == {}
