"""Approvals, recorded on the versions of an MLflow that is embedded, and of one that is a server."""

import json
from datetime import UTC, datetime

import pytest
from registered import fleet_of

from coachworks.errors import DataError, InvalidConfigError, NotFoundError
from coachworks.tracking.registry import Version
from components.deploy.models.approval import Approval, approval_of, approve, missing_approvals, revoke

ONE, TWO = "1" * 64, "2" * 64


def test_an_approval_says_who_when_and_of_which_head(registry):
    registry.add("view", ONE, "champion", balanced_accuracy="0.912", gates={"minBalancedAccuracy": "0.85"})
    done = approve(registry.fleet, "view", "1", by="  Ada   Lovelace ", note="looked at all mistakes")
    tags = registry.tags("view", "1")
    assert tags["coachworks.approved_by"] == "Ada Lovelace"
    assert tags["coachworks.approved_digest"] == ONE
    assert tags["coachworks.approved_note"] == "looked at all mistakes"
    moment = datetime.fromisoformat(tags["coachworks.approved_at"])
    assert moment.tzinfo is not None
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 300
    assert approval_of(tags) == done.approval
    assert (done.model, done.version, done.required) == (f"{registry.fleet.name}.view", "1", True)
    assert done.facts["head"] == ONE[:12]
    assert done.facts["balanced accuracy"] == "91.2% on the test split"
    assert done.facts["gates passed"] == "minBalancedAccuracy 0.85"
    assert done.facts["alias"] == "champion"
    if registry.fleet.spec.tracking:
        assert (
            done.page
            == f"{registry.fleet.spec.tracking}/#/models/{done.model}/versions/1?workflowType=machine_learning"
        )
    else:
        assert done.page is None


def test_approving_again_replaces_what_was_said(registry):
    registry.add("view", ONE)
    approve(registry.fleet, "view", "1", by="Ada", note="fine")
    approve(registry.fleet, "view", "v1", by="Grace")
    approval = approval_of(registry.tags("view", "1"))
    assert (approval.by, approval.note) == ("Grace", "")
    assert "coachworks.approved_note" not in registry.tags("view", "1")


def test_an_approval_can_be_taken_back_and_that_is_recorded(registry):
    registry.add("view", ONE)
    assert revoke(registry.fleet, "view", "1", by="Grace") is None
    assert "coachworks.approval_revoked" not in registry.tags("view", "1")
    approve(registry.fleet, "view", "1", by="Ada")
    taken = revoke(registry.fleet, "view", "1", by="Grace", note="the labels were wrong")
    assert taken.by == "Ada"
    tags = registry.tags("view", "1")
    assert approval_of(tags) is None
    assert not [tag for tag in tags if tag.startswith("coachworks.approved")]
    revoked = json.loads(tags["coachworks.approval_revoked"])
    assert (revoked["by"], revoked["approved_by"], revoked["note"]) == ("Grace", "Ada", "the labels were wrong")
    assert approve(registry.fleet, "view", "1", by="Ada").approval.by == "Ada"


def test_a_skill_that_is_not_critical_may_be_approved_without_need(registry):
    registry.add("light", ONE)
    assert not approve(registry.fleet, "light", "1", by="Ada").required


def test_what_is_not_there_is_refused_with_what_is(registry):
    with pytest.raises(NotFoundError, match=r"no version of 'view' is registered\. Run the pipeline: `coachworks run`"):
        approve(registry.fleet, "view", "1", by="Ada")
    for digest, alias in ((ONE, "challenger"), (TWO, "champion")):
        registry.add("view", digest, alias)
    with pytest.raises(NotFoundError, match=r"view' has no version 7. Its latest: 1 \(challenger\), 2 \(champion\)\."):
        approve(registry.fleet, "view", "7", by="Ada")
    with pytest.raises(InvalidConfigError, match=r"must be a number, .*; got 'champion'\. 'champion' is version 2 now"):
        approve(registry.fleet, "view", "champion", by="Ada")
    with pytest.raises(InvalidConfigError, match=r"must be a number, since an alias may move; got '1\.0'"):
        revoke(registry.fleet, "view", "1.0", by="Ada")
    with pytest.raises(InvalidConfigError, match=r"skill must be one of the fleet '.*': view, light; got 'veiw'"):
        approve(registry.fleet, "veiw", "1", by="Ada")


@pytest.mark.parametrize("digest", [None, "abc"])
def test_a_version_without_the_digest_of_its_head_is_refused(registry, digest):
    registry.add("view", digest)
    with pytest.raises(
        DataError, match=r"the digest of its head in the tag 'head_digest'; got .*that the pipeline registered"
    ):
        approve(registry.fleet, "view", "1", by="Ada")
    assert "coachworks.approved_by" not in registry.tags("view", "1")


@pytest.mark.parametrize("by", ["", "  ", "\n", "x" * 201, "Ada\x07"])
def test_nobody_cannot_approve(tmp_path, by):
    with pytest.raises(InvalidConfigError, match=r"by must be the name of the person who approves, .*`--by`"):
        approve(fleet_of(tmp_path / "store"), "view", "1", by=by)
    with pytest.raises(InvalidConfigError, match="note must have at most 4000 characters; got 4001"):
        revoke(fleet_of(tmp_path / "store"), "view", "1", by="Ada", note="x" * 4001)


# what a deployment asks


def version(number="3", **tags):
    return Version(number, {"head_digest": ONE, **tags})


def approved(digest):
    return {
        "coachworks.approved_by": "Ada",
        "coachworks.approved_at": "2026-03-01T10:00:00+00:00",
        "coachworks.approved_digest": digest,
    }


def test_only_critical_skills_need_an_approval(tmp_path):
    reasons = missing_approvals(fleet_of(tmp_path), {"view": version(), "light": version()})
    assert reasons == {
        "view": "'view' is critical, and its version 3 is not approved. Look at it, then `coachworks approve view 3`."
    }
    assert missing_approvals(fleet_of(tmp_path), {"light": version()}) == {}


def test_an_approval_holds_for_the_head_that_was_approved(tmp_path):
    assert missing_approvals(fleet_of(tmp_path), {"view": version(**approved(ONE))}) == {}
    reasons = missing_approvals(fleet_of(tmp_path), {"view": version(**approved(TWO))})
    assert (
        "Ada approved another head as version 3: 222222222222, where 111111111111 is to be deployed" in reasons["view"]
    )
    assert "`coachworks approve view 3`" in reasons["view"]


def test_an_approval_that_was_only_half_recorded_is_none(tmp_path):
    half = {name: value for name, value in approved(ONE).items() if not name.endswith("digest")}
    assert approval_of(half) is None
    assert missing_approvals(fleet_of(tmp_path), {"view": version(**half)})
    assert approval_of(approved(ONE)) == Approval(by="Ada", at="2026-03-01T10:00:00+00:00", digest=ONE)
