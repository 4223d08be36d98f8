"""What register does to the registry, seen through MLflow's own client."""

import pytest

from coachworks.tracking import open_client, tracking_of
from components.register.step import register


@pytest.fixture
def client(fleet):
    return open_client(tracking_of(fleet))


def test_the_first_version_that_passes_its_gates_becomes_the_champion(chain, fleet, client):
    report = register(fleet, chain.evaluation()).report
    for skill in fleet.spec.skills:
        assert report["skills"][skill]["status"] == "champion"
        assert report["skills"][skill]["champion_version"] == "1"
        version = client.get_model_version_by_alias(f"showroom.{skill}", "champion")
        assert version.tags["head_digest"] == report["skills"][skill]["head_digest"]
