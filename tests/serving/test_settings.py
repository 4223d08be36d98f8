import pytest

from coachworks.errors import InvalidConfigError
from serving.settings import ServingSettings


def test_settings_come_from_the_environment():
    environ = {"COACHWORKS_SERVING_MAX_BATCH": "4", "COACHWORKS_BUNDLE": "/somewhere", "PATH": "/bin"}
    assert ServingSettings.from_environ(environ) == ServingSettings(max_batch=4)


def test_a_settings_earlier_name_still_counts():
    assert ServingSettings.from_environ({"COACHWORKS_SERVING_DECODE_THREADS": "3"}) == ServingSettings(decoders=3)


def test_an_unknown_variable_is_refused():
    with pytest.raises(
        InvalidConfigError,
        match=r"COACHWORKS_SERVING_BATCH is not a setting of the service; .* are .*MAX_BATCH",
    ):
        ServingSettings.from_environ({"COACHWORKS_SERVING_BATCH": "4"})


def test_a_value_that_is_not_a_number_is_refused():
    with pytest.raises(InvalidConfigError, match="COACHWORKS_SERVING_THREADS must be an integer; got 'all'"):
        ServingSettings.from_environ({"COACHWORKS_SERVING_THREADS": "all"})


def test_a_value_below_its_minimum_is_refused():
    with pytest.raises(InvalidConfigError, match="max_queue must be an integer of at least 1; got 0"):
        ServingSettings(max_queue=0)


def test_variables_that_kubernetes_sets_for_a_service_of_that_name_are_ignored():
    environ = {"COACHWORKS_SERVING_SERVICE_HOST": "10.0.0.1", "COACHWORKS_SERVING_PORT": "tcp://10.0.0.1:80"}
    assert ServingSettings.from_environ(environ) == ServingSettings()
