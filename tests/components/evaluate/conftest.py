"""The drawn chain, and the results of train and evaluate on it."""

import pytest
from drawn_chain import draw_chain


@pytest.fixture(scope="session", name="draw_chain")
def _draw_chain():
    return draw_chain


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """The fleet, and the results of train and evaluate."""
    from components.evaluate.step import evaluate
    from components.train.step import train

    fleet, embed = draw_chain(
        tmp_path_factory.mktemp("drawn"), gates={"minBalancedAccuracy": 0.8, "maxExpectedCalibrationError": 0.3}
    )
    trained = train(fleet, embed)
    return fleet, trained, evaluate(fleet, trained.key)
