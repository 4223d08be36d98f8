"""`coachworks approve`: what a person is told, and in whose name it is recorded."""

import getpass
import json
import re
from dataclasses import asdict

import pytest
from click.testing import CliRunner
from registered import Registry
from small_fleets import fleet_text

from coachworks.cli.main import cli, main
from coachworks.errors import CoachworksError, DataError, InvalidConfigError, NotFoundError
from coachworks.fleet.reader import read_fleet
from coachworks.models.comparison import Comparison
from components.deploy.models import approval

FLEET = fleet_text({"view": {"labels": ["front", "rear"], "tier": "critical"}, "light": {"labels": ["dark", "bright"]}})
DIGEST = "0123456789ab" + "c" * 52
MOMENT = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a fleet.yaml, and a Git that knows Ada."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    (tmp_path / "gitconfig").write_text("[user]\n\tname = Ada Lovelace\n")
    (tmp_path / "fleet.yaml").write_text(FLEET)
    return tmp_path


@pytest.fixture
def registry(folder, empty_database):
    return Registry.embedded(read_fleet(folder / "fleet.yaml"), empty_database)


def approve(*arguments):
    done = CliRunner().invoke(cli, ["approve", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(error, *arguments):
    """Error message of a command that records no approval."""
    with pytest.raises(CoachworksError) as caught:
        CliRunner().invoke(cli, ["approve", *arguments], catch_exceptions=False)
    assert isinstance(caught.value, error)
    return str(caught.value)


def test_an_approval_shows_person_time_and_facts_about_the_version(registry):
    compared = Comparison(
        champion_version="3",
        champion=0.9,
        challenger=0.912,
        difference=0.012,
        low=-0.01,
        high=0.03,
        probability_better=0.88,
        photos=120,
        sets=40,
        basis="recorded",
    )
    registry.add(
        "view",
        DIGEST,
        "champion",
        gates={"minBalancedAccuracy": "0.85", "maxExpectedCalibrationError": "0.1"},
        balanced_accuracy="0.9121",
        reason="better than version 3",
        backbone="efficientnet-lite0",
        run="20260101-000000-abcdef",
        commit="f00",
        code="0.9.0",
        **{"coachworks.comparison": json.dumps(asdict(compared))},
    )
    first, *facts = approve("view", "1", "--by", "Grace Hopper", "--note", "looked at all").splitlines()
    assert re.fullmatch(rf"Version 1 of view is approved by Grace Hopper, {MOMENT}\.", first)
    assert facts == [
        "  head               0123456789ab",
        "  balanced accuracy  91.2% on the test split",
        "  gates passed       maxExpectedCalibrationError 0.1, minBalancedAccuracy 0.85",
        "  alias              champion",
        "  reason             better than version 3",
        f"  compared           {compared.sentence()}",
        "  backbone           efficientnet-lite0",
        "  run                20260101-000000-abcdef",
        "  commit             f00",
        "  coachworks         0.9.0",
    ]
    tags = registry.tags("view", "1")
    assert (tags["coachworks.approved_by"], tags["coachworks.approved_note"]) == ("Grace Hopper", "looked at all")
    assert tags["coachworks.approved_digest"] == DIGEST
    assert tags["coachworks.approved_at"] in first


def test_facts_that_cannot_be_read_are_left_out_and_the_approval_holds(registry):
    registry.add("view", DIGEST, balanced_accuracy="good", **{"coachworks.comparison": '{"other": "release"}'})
    assert approve("view", "1").splitlines()[1:] == ["  head  0123456789ab"]
    assert registry.tags("view", "1")["coachworks.approved_digest"] == DIGEST


def test_an_approval_that_is_not_needed_is_said_to_be(registry):
    for skill in ("view", "light"):
        registry.add(skill, DIGEST)
    assert approve("light", "1").endswith("light is not critical: it is deployed without an approval too.\n")
    assert "critical" not in approve("view", "1")


def test_the_page_in_mlflow_is_named_where_there_is_one(folder, monkeypatch):
    def approved(fleet, skill, version, *, by, note):
        content = approval.Approval(by=by, at="2026-03-01T10:00:00+00:00", digest=DIGEST)
        page = f"https://mlflow.example/#/models/{fleet.name}.{skill}/versions/{version}"
        return approval.ApprovedVersion(
            model="showroom.view", version=version, approval=content, required=True, facts={"head": "0123"}, page=page
        )

    monkeypatch.setattr(approval, "approve", approved)
    assert approve("view", "4").endswith("\nhttps://mlflow.example/#/models/showroom.view/versions/4\n")


def test_an_approval_can_be_revoked(registry):
    registry.add("view", DIGEST)
    first = approve("view", "1")
    at = re.search(MOMENT, first).group()
    assert approve("view", "1", "--revoke", "--by", "Grace", "--note", "wrong labels").splitlines() == [
        f"The approval of version 1 of view by Ada Lovelace, {at}, is revoked.",
        "Deployed versions stay deployed: `coachworks rollback` deploys an earlier release.",
    ]
    tags = registry.tags("view", "1")
    assert "coachworks.approved_digest" not in tags
    content = json.loads(tags["coachworks.approval_revoked"])
    assert (content["by"], content["note"], content["approved_by"]) == ("Grace", "wrong labels", "Ada Lovelace")
    nothing = "Version 1 of view was not approved: there is nothing to revoke.\n"
    assert approve("view", "1", "--revoke") == nothing
    assert json.loads(registry.tags("view", "1")["coachworks.approval_revoked"]) == content


def recorded(registry):
    registry.add("view", DIGEST)
    approve("view", "1")
    return registry.tags("view", "1")["coachworks.approved_by"]


def test_who_approves_is_whom_git_knows(registry):
    assert recorded(registry) == "Ada Lovelace"


@pytest.mark.parametrize("config", ["", "[user]\n\tname =\n", "[broken"])
def test_where_git_knows_nobody_it_is_who_is_logged_in(registry, folder, monkeypatch, config):
    (folder / "gitconfig").write_text(config)
    monkeypatch.setenv("LOGNAME", "ada")
    assert recorded(registry) == "ada"


def test_without_git_it_is_who_is_logged_in(registry, folder, monkeypatch):
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("LOGNAME", "ada")
    assert recorded(registry) == "ada"


@pytest.mark.parametrize("error", [KeyError("uid not found: 1000"), OSError("No username set in the environment")])
@pytest.mark.parametrize("flags", [[], ["--revoke"]])
def test_a_name_is_required_where_no_user_is_known(registry, folder, monkeypatch, error, flags):
    def unknown():
        raise error

    registry.add("view", DIGEST)
    (folder / "gitconfig").write_text("")
    monkeypatch.setattr(getpass, "getuser", unknown)
    assert refused(InvalidConfigError, "view", "1", *flags) == (
        "by must be the name of the person who approves, of at most 200 characters; got ''. Set it with `--by`."
    )
    assert "coachworks.approved_by" not in registry.tags("view", "1")


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_is_not_taken_for_git_s(registry, name):
    registry.add("view", DIGEST)
    assert "by must be the name of the person" in refused(InvalidConfigError, "view", "1", "--by", name)
    assert "coachworks.approved_by" not in registry.tags("view", "1")


@pytest.mark.parametrize("flags", [[], ["--revoke"]])
def test_a_skill_or_version_that_is_not_there_is_refused_with_what_is(registry, flags):
    registry.add("view", DIGEST, "champion")
    assert refused(InvalidConfigError, "veiw", "1", *flags) == (
        "skill must be one of the fleet 'showroom'; got 'veiw'. Did you mean `view`?"
    )
    assert "got 'wheel'. Its skills: view, light." in refused(InvalidConfigError, "wheel", "1", *flags)
    assert refused(NotFoundError, "view", "7", *flags) == (
        "'showroom.view' has no version 7. Its latest: 1 (champion)."
    )
    assert refused(InvalidConfigError, "view", "champion", *flags) == (
        "version must be a number, since an alias may move; got 'champion'. 'champion' is version 1 now. The latest "
        "versions of 'showroom.view': 1 (champion)."
    )
    assert "no version of 'light' is registered. Run the pipeline" in refused(NotFoundError, "light", "1", *flags)


def test_a_note_that_is_too_long_and_a_version_without_a_head_are_refused(registry):
    registry.add("view", None)
    message = "note must have at most 4000 characters; got 4001"
    assert refused(InvalidConfigError, "view", "1", "--note", "x" * 4001) == message
    assert "must have the digest of its head in the tag 'head_digest'" in refused(DataError, "view", "1")


def test_a_refusal_is_one_message_and_an_exit_status(registry, capsys):
    for version, status in (("7", 1), ("champion", 2)):
        registry.add("view", DIGEST)
        with pytest.raises(SystemExit) as ended:
            main(["approve", "view", version])
        assert ended.value.code == status
        assert re.match(r"error: .*\n$", capsys.readouterr().err)
