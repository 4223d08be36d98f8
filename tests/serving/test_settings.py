import pytest

from coachworks.errors import InvalidConfigError
from serving.settings import ServingSettings


def test_settings_come_from_the_environment():
    environ = {"COACHWORKS_SERVING_MAX_BATCH": "4", "COACHWORKS_BUNDLE": "/somewhere", "PATH": "/bin"}
    assert ServingSettings.from_environ(environ) == ServingSettings(max_batch=4)


def test_a_variable_that_is_no_setting_is_refused():
    with pytest.raises(
        InvalidConfigError, match=r"COACHWORKS_SERVING_BATCH is no setting of the service; they are .*MAX_BATCH"
    ):
        ServingSettings.from_environ({"COACHWORKS_SERVING_BATCH": "4"})


def test_a_value_that_is_no_number_is_refused():
    with pytest.raises(InvalidConfigError, match="COACHWORKS_SERVING_THREADS must be an integer; got 'all'"):
        ServingSettings.from_environ({"COACHWORKS_SERVING_THREADS": "all"})


def test_a_value_below_its_least_is_refused():
    with pytest.raises(InvalidConfigError, match="max_queue must be an integer of at least 1; got 0"):
        ServingSettings(max_queue=0)


def test_what_kubernetes_says_of_a_service_of_that_name_is_no_setting():
    environ = {"COACHWORKS_SERVING_SERVICE_HOST": "10.0.0.1", "COACHWORKS_SERVING_PORT": "tcp://10.0.0.1:80"}
    assert ServingSettings.from_environ(environ) == ServingSettings()
