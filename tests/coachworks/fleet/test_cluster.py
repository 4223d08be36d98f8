"""`spec.cluster`: what is refused, where and with which way out; and how the settings of a step's pod come together."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachworks.fleet.cluster import Accelerator, Cluster, Pod, Quantities, Toleration, amount
from coachworks.fleet.reader import read_fleet
from coachworks.steps import CHAIN

CLUSTER = """\
  cluster:
    namespace: teams
    serviceAccount: runner
    dashboard: https://kubeflow.example
    image: registry.example/steps:1
    imagePullSecrets: [registry]
    environment:
      - {configMap: cars}
      - {secret: cars, keys: [AWS_ACCESS_KEY_ID]}
    certificateAuthority: {configMap: authority, key: root.pem}
    schedule: "0 2 * * *"
    defaults:
      requests: {cpu: 500m, memory: 1Gi}
      tolerations: [{key: spot, value: "true"}]
    steps:
      train:
        limits: {cpu: "4", memory: 8Gi}
        nodeSelector: {pool: gpu}
        accelerator: {count: 2}
"""


@pytest.fixture
def whole(valid):
    """The text of a valid fleet file with a section `cluster` in which everything is set, from line 8 on."""
    return valid.replace("  skills:\n", f"{CLUSTER}  skills:\n")


def test_every_setting_is_read(tmp_path, whole):
    (tmp_path / "fleet.yaml").write_text(whole)
    cluster = read_fleet(tmp_path / "fleet.yaml").spec.cluster
    assert (cluster.namespace, cluster.service_account, cluster.image_pull_secrets) == ("teams", "runner", ["registry"])
    assert [source.config_map for source in cluster.environment] == ["cars", None]
    assert cluster.environment[1].keys == ["AWS_ACCESS_KEY_ID"]
    assert cluster.certificate_authority.key == "root.pem"
    train = cluster.pod("train")
    assert train.requests == Quantities(cpu="500m", memory="1Gi")
    assert train.limits == Quantities(cpu="4", memory="8Gi")
    assert train.accelerator == Accelerator(type="nvidia.com/gpu", count=2)
    assert train.tolerations == [Toleration(key="spot", value="true")]
    assert cluster.pod("ingest") == cluster.defaults


def test_a_fleet_without_cluster_settings_runs_on_a_cluster(valid, tmp_path):
    (tmp_path / "fleet.yaml").write_text(valid)
    cluster = read_fleet(tmp_path / "fleet.yaml").spec.cluster
    assert cluster == Cluster()
    assert cluster.pod("train") == Pod()


BREAKS = {
    "an unknown key": (
        "namespace:",
        "nmespace:",
        9,
        5,
        "unknown key 'nmespace' in `spec.cluster`. Did you mean `namesp",
    ),
    "a namespace that is not a DNS label": ("namespace: teams", "namespace: My Teams", 9, 16, "must be a DNS label"),
    "a service account with an invalid name": (
        "serviceAccount: runner",
        "serviceAccount: Run_ner",
        10,
        21,
        "the name of a Kubernetes object must be lower-case letters, .*; got 'Run_ner'",
    ),
    "a secret with an invalid name": (
        "[registry]",
        "[Registry]",
        13,
        24,
        "the name of a Kubernetes object must be lower-case letters, .*; got 'Registry'",
    ),
    "a dashboard without a scheme": (
        "https://kubeflow.example",
        "kubeflow.example",
        11,
        16,
        "`dashboard` must be an address such as https://kubeflow.example; got 'kubeflow.example'",
    ),
    "an image without tag": ("steps:1", "steps", 12, 12, "must name a tag other than `latest`, or a digest, .*/steps'"),
    "the latest image": ("steps:1", "steps:latest", 12, 12, "must name a tag other than `latest`"),
    "an image with a port but no tag": (
        "registry.example/steps:1",
        "registry.example:5000/steps",
        12,
        12,
        "must name a tag other",
    ),
    "a secret and a config map": (
        "{configMap: cars}",
        "{configMap: a, secret: b}",
        15,
        9,
        "either a `secret` or a `configMap`",
    ),
    "neither a secret nor a config map": ("{secret: cars, keys", "{keys", 16, 9, "either a `secret` or a `configMap`"),
    "no keys": (
        "[AWS_ACCESS_KEY_ID]",
        "[]",
        16,
        30,
        r"`spec.cluster.environment\[1\].keys` must have at least 1 entry",
    ),
    "a key that cannot name a variable": (
        "[AWS_ACCESS_KEY_ID]",
        "[access-key]",
        16,
        31,
        "must be named like an environment variable: .*; got 'access-key'. Rename it in the Secret or ConfigMap",
    ),
    "a variable from two objects": (
        "- {configMap: cars}",
        "- {configMap: cars, keys: [AWS_ACCESS_KEY_ID]}",
        14,
        5,
        "a variable must come from one Secret or ConfigMap; 'AWS_ACCESS_KEY_ID' is named more than once. Remove one.",
    ),
    "two mounted objects of the same name": (
        "- {configMap: cars}",
        "- {configMap: cars}\n      - {secret: cars}",
        8,
        3,
        "mounted Secrets and ConfigMaps must have different names; 'cars' is named more than once",
    ),
    "an authority without an object": (
        "{configMap: authority, key",
        "{key",
        17,
        27,
        "either a `configMap` or a `secret`",
    ),
    "a schedule in words": (
        '"0 2 * * *"',
        "nightly",
        18,
        15,
        "must be a cron expression of five or six fields.*'nightly'",
    ),
    "a quantity in words": (
        "requests: {cpu: 500m",
        "requests: {cpu: half",
        20,
        23,
        "requests.cpu` must fit its description, a Kubernetes quantity: .*; got 'half'",
    ),
    "a quantity without quotes": (
        '{cpu: "4"',
        "{cpu: 4",
        24,
        23,
        'must be text; YAML reads 4 as a number. Quote it: "4"',
    ),
    "a negative quantity": ("memory: 1Gi", "memory: -1Gi", 20, 37, "must fit its description, a Kubernetes quantity"),
    "a request over the limit": (
        "{cpu: 500m, memory: 1Gi}",
        "{cpu: 500m, memory: 9000Mi}",
        23,
        7,
        "a request must not exceed the limit; got '9000Mi' and '8Gi' of memory. Raise the limit.",
    ),
    "a toleration of any value with a value": (
        "value: ",
        "operator: Exists, value: ",
        21,
        21,
        "must have no `value`. Remove it",
    ),
    "a toleration without a key": (
        "{key: spot, value",
        "{value",
        21,
        21,
        "must have a `key`, unless it has `operator: Ex",
    ),
    "a toleration with an unknown effect": (
        "{key: spot,",
        "{key: spot, effect: NoSchedul,",
        21,
        41,
        "must be NoSchedule, PreferNoSchedule or NoExecute; .* Did you mean `NoSchedule`",
    ),
    "toleration seconds without NoExecute": (
        "{key: spot,",
        "{key: spot, tolerationSeconds: 5,",
        21,
        21,
        "with `tolerationSeconds` must have `effect: NoExecute`",
    ),
    "an unknown step": ("      train:", "      trian:", 23, 7, "must name steps .* 'trian'. Did you mean `train`?"),
    "an accelerator for a step that cannot use it": (
        "      train:",
        "      split:",
        26,
        22,
        "only embed and train can use an `accelerator`; .*'split'. Rem",
    ),
    "a node label that is not text": (
        "{pool: gpu}",
        "{gpu: true}",
        25,
        29,
        'nodeSelector.gpu` must be text; .* Quote it: "true"',
    ),
    "zero accelerators": ("{count: 2}", "{count: 0}", 26, 30, "accelerator.count` must be at least 1; got 0"),
}


@pytest.mark.parametrize("case", BREAKS)
def test_a_broken_rule_is_reported_at_its_position_with_the_way_out(problems_of, whole, case):
    old, new, line, column, message = BREAKS[case]
    assert old in whole
    (problem,) = problems_of(whole.replace(old, new, 1))
    assert re.search(message, problem.message), problem.message
    assert (problem.line, problem.column) == (line, column)


def test_an_image_may_be_named_by_its_digest():
    assert Cluster(image="registry.example:5000/steps@sha256:1a2b").image == "registry.example:5000/steps@sha256:1a2b"
    assert Cluster(image="registry.example:5000/steps:1").image == "registry.example:5000/steps:1"


def test_a_schedule_may_begin_with_seconds():
    assert Cluster(schedule="0 0 2 * * *").schedule == "0 0 2 * * *"


def test_a_request_shared_by_all_steps_is_reported_once(problems_of, whole):
    text = whole.replace("{cpu: 500m, memory: 1Gi}", "{cpu: 9}").replace("cpu: 9", 'cpu: "9"')
    assert len(problems_of(text)) == 1


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [("500m", "1"), ("0.5", "501m"), ("1G", "1Gi"), ("1023Mi", "1Gi"), ("999", "1k"), ("1T", "1Ti")],
)
def test_quantities_are_compared_as_in_kubernetes(smaller, larger):
    assert amount(smaller) < amount(larger)


QUANTITIES = st.fixed_dictionaries(
    {}, optional={"cpu": st.sampled_from(["1", "2", None]), "memory": st.sampled_from(["1Gi", "2Gi", None])}
)
PODS = st.fixed_dictionaries(
    {},
    optional={
        "requests": QUANTITIES,
        "nodeSelector": st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy")),
        "tolerations": st.lists(st.just({"key": "spot"}), max_size=1),
        "accelerator": st.sampled_from([None, {"count": 1}, {"count": 2, "type": "x"}]),
    },
)


@given(defaults=PODS, own=PODS, step=st.sampled_from(["embed", "train"]))
def test_settings_of_a_step_override_the_defaults(defaults, own, step):
    cluster = Cluster.model_validate({"defaults": defaults, "steps": {step: own}})
    merged = cluster.pod(step)
    for name, field in Pod.model_fields.items():
        alias = field.alias
        source = own if alias in own else defaults
        if name in {"requests", "limits"}:
            expected = Quantities(**{**defaults.get(alias, {}), **own.get(alias, {})})
            assert getattr(merged, name) == expected
        else:
            assert getattr(merged, name) == getattr(Pod.model_validate(source), name)
    for other in CHAIN:
        if other != step:
            assert cluster.pod(other) == Pod.model_validate(defaults)
