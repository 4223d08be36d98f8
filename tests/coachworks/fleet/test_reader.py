"""The reader of the fleet file: valid files are read, others refused with a message at the right place."""

import os
import pickle
import re
from pathlib import Path

import pytest

from coachworks.errors import InvalidConfigError
from coachworks.fleet.problems import InvalidFleetError, Problem
from coachworks.fleet.reader import MAX_BYTES, read_fleet


def test_a_valid_file_becomes_a_fleet_with_absolute_paths(tmp_path, valid):
    (tmp_path / "fleet.yaml").write_text(valid)
    fleet = read_fleet(tmp_path / "fleet.yaml")
    assert fleet.name == "showroom"
    assert fleet.spec.store == str(tmp_path / "store")
    assert fleet.spec.sources[0].table == str(tmp_path / "photos.csv")
    assert fleet.serving("image-quality").port == 9722


def test_addresses_of_buckets_stay_as_they_are_and_those_of_files_become_paths(tmp_path, valid):
    text = valid.replace("photos: ./photos, table: ./photos.csv", "photos: s3://cars/photos/, table: s3://cars/p.csv")
    text = text.replace(
        "  sources:\n", "  store: s3://cars/store\n  sources:\n    - {photos: file:///mnt/a, table: t.csv}\n"
    )
    (tmp_path / "fleet.yaml").write_text(text)
    spec = read_fleet(tmp_path / "fleet.yaml").spec
    assert spec.store == "s3://cars/store"
    assert [source.photos for source in spec.sources] == ["/mnt/a", "s3://cars/photos/"]
    assert [source.table for source in spec.sources] == [str(tmp_path / "t.csv"), "s3://cars/p.csv"]


def test_the_example_of_the_documentation_is_valid(problems_of):
    page = (Path(__file__).parents[3] / "docs/reference/fleet-file.md").read_text()
    example = re.search(r"```yaml\n(apiVersion.*?)```", page, re.DOTALL)
    assert example is not None
    assert problems_of(example.group(1)) == []


def test_windows_line_ends_and_a_byte_order_mark_are_read(problems_of, valid):
    assert problems_of(b"\xef\xbb\xbf" + valid.replace("\n", "\r\n").encode()) == []


def test_anchors_aliases_and_merge_keys_are_read(problems_of, valid):
    text = valid.replace("{layout: dedicated,", "&own {layout: dedicated,")
    text += (
        "    wheel:\n      labels: [yes-it-is, it-is-not]\n      serving: {<<: *own, port: 9723, serviceName: wheel}\n"
    )
    assert problems_of(text) == []


FILES = {
    "empty": (b"", 1, 1, "must not be empty. Write one with `coachworks init PHOTOS`"),
    "only a comment": (b"# nothing\n", 1, 1, "must not be empty"),
    "not UTF-8": (b"kind: Fleet\nname: caf\xe9\n", 2, 10, "must be UTF-8; got the byte 0xe9. Save it as UTF-8"),
    "too large": (b"a" * (MAX_BYTES + 1), 1, 1, f"must have at most {MAX_BYTES} bytes"),
    "a list": (b"- a\n", 1, 1, "must be a mapping that begins with `apiVersion`; got a list"),
    "a control character": (b"kind: \x07\n", 1, 7, r"the character '\\x07' is not allowed"),
    "an open quote": (b"kind: 'Fleet\n", 2, 1, "not valid YAML: found unexpected end of stream"),
    "a tab": (b"spec:\n\tstore: x\n", 2, 1, "not valid YAML: .* Indent with spaces"),
    "an escape out of range": (b'kind: "\\U99999999"\n', 1, 10, "not valid YAML"),
    "a nest": (b"[" * 10_000, 1, 34, "must not be nested more than 32 deep"),
    "a snake that bites its tail": (b"a: &a [*a]\n", 1, 8, r"the alias \*a must not be inside its own anchor"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_cannot_be_read_is_refused_with_its_place(problems_of, case):
    data, line, column, message = FILES[case]
    (problem,) = problems_of(data)
    assert (problem.line, problem.column) == (line, column)
    assert re.search(message, problem.message)


def test_a_missing_file_is_refused_with_the_way_to_one(tmp_path):
    with pytest.raises(
        InvalidFleetError, match=r"fleet.yaml:1:1: there is no such file. Write one with `coachworks init"
    ):
        read_fleet(tmp_path / "fleet.yaml")


def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    with pytest.raises(InvalidConfigError, match="this is a folder"):
        read_fleet(tmp_path)


def test_a_bomb_of_aliases_is_refused_before_it_is_built(problems_of):
    text = "a: &a [x,x,x,x,x,x,x,x,x]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        text += f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    (problem,) = problems_of(text)
    assert "at most 100000 values, those repeated by aliases included" in problem.message
    assert problem.line == 6


BREAKS = {
    "unknown key": (
        "sources:",
        "sourcs: []\n  sources:",
        6,
        3,
        "unknown key 'sourcs' in `spec`. Did you mean `sources`?",
    ),
    "a Python name": ("unsure: unsure", "un_sure: unsure", 11, 7, "Did you mean `unsure`?"),
    "unlike any known key": ("unsure: unsure", "colour: red", 11, 7, "Known there: question, labels, unsure"),
    "missing key": ("kind: Fleet\n", "", 1, 1, "`kind` is missing. Add `kind`"),
    "missing labels": ("      labels: [good, blurry]\n", "", 13, 5, "`spec.skills.image-quality.labels` is missing"),
    "wrong version": ("dev/v1", "dev/v2", 1, 13, "`apiVersion` must be coachworks.dev/v1; got 'coachworks.dev/v2'"),
    "wrong kind": ("kind: Fleet", "kind: Pod", 2, 7, "`kind` must be Fleet; got 'Pod'"),
    "repeated key": (
        "kind: Fleet",
        "kind: Fleet\nkind: Fleet",
        3,
        1,
        "the key 'kind' must be in its mapping once; .* on line 2 too",
    ),
    "two skills of one name": (
        "    image-quality:",
        "    image-content:",
        13,
        5,
        "two skills must not have the same name; 'image-content' is on line 9 too",
    ),
    "a skill that is no DNS label": (
        "image-quality:",
        "Image_Quality:",
        13,
        5,
        "must be a DNS label: .* got 'Image_Quality'",
    ),
    "a skill called like a column": ("image-quality:", "split:", 13, 5, "must not be called 'split'"),
    "a fleet that is no DNS label": (
        "name: showroom",
        "name: Show Room",
        4,
        9,
        "must be a DNS label: .* got 'Show Room'",
    ),
    "a list for a mapping": (
        "metadata:\n  name: showroom",
        "metadata: [showroom]",
        3,
        11,
        "must be a mapping .* got a list",
    ),
    "text for a number": (
        "port: 9722",
        'port: "9722"',
        15,
        42,
        "must be a whole number; got the text '9722'. Remove the quotes",
    ),
    "a fraction for a whole number": ("port: 9722", "port: 97.22", 15, 42, "must be a whole number; got 97.22"),
    "out of range": ("port: 9722", "port: 97220", 15, 42, "must be at most 65535; got 97220"),
    "nothing for a list": (
        "[good, blurry]",
        "",
        14,
        7,
        "`spec.skills.image-quality.labels` must be a list; it is empty",
    ),
    "not among the choices": (
        "layout: dedicated",
        "layout: dedicate",
        15,
        25,
        "must be shared or dedicated; .* Did you mean `dedicated`",
    ),
    "one label": ("[good, blurry]", "[good]", 14, 15, "must have at least 2 entries; it has 1"),
    "yes for a label": ("[good, blurry]", "[yes, blurry]", 14, 16, 'YAML reads yes as true or false. Quote it: "yes"'),
    "no for a label": ("[good, blurry]", "[good, No]", 14, 22, 'YAML reads No as true or false. Quote it: "No"'),
    "a number for a label": ("[good, blurry]", "[good, 1]", 14, 22, 'YAML reads 1 as a number. Quote it: "1"'),
    "null for a label": ("[good, blurry]", "[good, null]", 14, 22, 'YAML reads null as nothing. Quote it: "null"'),
    "a skill called no": (
        "    image-quality:",
        "    no:",
        13,
        5,
        'a key must be text; YAML reads no as true or false. Quote it: "no"',
    ),
    "labels that differ in case": (
        "[good, blurry]",
        "[good, Good]",
        14,
        22,
        "differ in more than case.* got 'good' and 'Good'",
    ),
    "labels that differ in space": ("[good, blurry]", "[good, 'good ']", 14, 22, "differ in more than case, spaces"),
    "labels that differ in Unicode form": (
        "[good, blurry]",
        '["caf\\u00e9", "cafe\\u0301"]',
        14,
        29,
        "or Unicode form",
    ),
    "a label twice": ("[good, blurry]", "[good, good]", 14, 22, "label 'good' must be listed once"),
    "an empty label": ("[good, blurry]", "[good, '']", 14, 22, "a label must be printable text; got ''"),
    "a label with space around": (
        "[good, blurry]",
        "[good, ' bad']",
        14,
        22,
        "must have no space around it; got ' bad'",
    ),
    "unsure among the labels": ("unsure: unsure", "unsure: Interior", 11, 15, "`unsure` must not be among the labels"),
    "similar not among the labels": (
        "[[close-up, close-up-with-text]]",
        "[[close-up, close-up-text]]",
        12,
        28,
        "'close-up-text' is not among them. Did you mean `close-up-with-text`?",
    ),
    "similar to itself": (
        "[[close-up, close-up-with-text]]",
        "[[close-up, close-up]]",
        12,
        17,
        "at least two different labels",
    ),
    "a source of nothing": (", table: ./photos.csv", "", 7, 7, "must say which `skill` its sub-folders answer"),
    "a source of an unknown skill": (
        "table: ./photos.csv",
        "skill: imagequality",
        7,
        33,
        "`skill` must be one of the fleet's; got 'imagequality'. Did you mean `image-quality`?",
    ),
    "a source on the web": ("./photos,", "https://example.com/photos,", 7, 16, "must be a local path"),
    "a bucket that cannot be": (
        "./photos,",
        "s3://My_Photos/cars,",
        7,
        16,
        "named by 3 to 63 lower-case letters, digits, dots and hyphens; got 's3://My_Photos/cars'",
    ),
    "a prefix with a hole": ("./photos.csv", "s3://photos//a.csv", 7, 33, "names with single slashes between them"),
    "a prefix that climbs": ("./photos,", "s3://photos/../b,", 7, 16, "names with single slashes between them"),
    "photos in the store": (
        "./photos,",
        "./store/photos,",
        7,
        16,
        "`photos` must not lie in the store, .*; got './store/photos' in './store'. Give the store a folder or prefix",
    ),
    "photos in a store that is a whole bucket": (
        "  sources:\n    - {photos: ./photos",
        "  store: s3://cars\n  sources:\n    - {photos: s3://cars/photos",
        8,
        16,
        "`photos` must not lie in the store, .*; got 's3://cars/photos' in 's3://cars'",
    ),
    "a service called like another skill": (
        "serviceName: ai-image-quality",
        "serviceName: image-content",
        15,
        61,
        "two skills must not have the same serviceName; got 'image-content' for 'image-content' and 'image-quality'",
    ),
    "an earlier name that is the skill's own": (
        "labels: [good",
        "was: image-quality\n      labels: [good",
        14,
        12,
        "`was` must be an earlier name; got 'image-quality', the skill's name. Remove it.",
    ),
    "an earlier name that is another skill": (
        "labels: [good",
        "was: image-content\n      labels: [good",
        14,
        12,
        "`was` must be a name that no skill has any more; 'image-content' is a skill of the fleet. Remove that skill",
    ),
    "an earlier name of two skills": (
        "      labels: [good",
        "      was: view\n      labels: [good, bad]\n    colour:\n      was: view\n      labels: [good",
        17,
        12,
        "two skills must not have the same `was`; got 'view' for 'image-quality' and 'colour'. Keep it at the skill",
    ),
    "a service called like that of a renamed skill": (
        "      unsure: unsure\n",
        "      unsure: unsure\n      was: ai-image-quality\n",
        16,
        61,
        "got 'ai-image-quality' for 'image-content' and 'image-quality' .a renamed skill keeps its Service by default",
    ),
    "a source of a renamed skill": (
        "table: ./photos.csv}\n  skills:\n    image-content:\n",
        "skill: view}\n  skills:\n    image-content:\n      was: view\n",
        7,
        33,
        "`skill` must be one of the fleet's; got 'view'. Its name is 'image-content' now.",
    ),
    "a service that is no DNS label": ("serviceName: ai-", "serviceName: AI-", 15, 61, "must be a DNS label"),
    "an unknown backbone": (
        "  sources:",
        "  backbone: efficientnet-lite7\n  sources:",
        6,
        13,
        "Did you mean `efficientnet-lite",
    ),
    "tracking that is no address": (
        "  sources:",
        "  tracking: mlflow\n  sources:",
        6,
        13,
        "null or the address of an MLflow server",
    ),
    "tracking with a password in it": (
        "  sources:",
        "  tracking: https://anna:secret@mlflow.example\n  sources:",
        6,
        13,
        "`tracking` must not hold a user name, password or token: set MLFLOW_TRACKING_USERNAME",
    ),
    "shares that do not add up": (
        "  sources:",
        "  split: {train: 0.7, validation: 0.2, test: 0.2}\n  sources:",
        6,
        10,
        "must add up to 1; got 1.1",
    ),
    "a share that is no number": (
        "  sources:",
        "  split: {train: .nan, validation: 0.2, test: 0.2}\n  sources:",
        6,
        18,
        "`spec.split.train` must be a finite number; got nan",
    ),
    "cores that are no quantity": (
        "{layout: dedicated",
        "{cpu: one, layout: dedicated",
        15,
        22,
        "must fit its description, CPU request, a Kubernetes quantity: .*; got 'one'",
    ),
    "a transform without arguments": (
        "  sources:",
        "  augment: {transforms: [{HorizontalFlip: 0.5}]}\n  sources:",
        6,
        26,
        "a transform must be one name with its arguments",
    ),
    "a service shared by all": (
        "  sources:",
        "  defaults: {serving: {port: 3000}}\n  sources:",
        6,
        30,
        "`port` must be set per skill",
    ),
    "a tag": ("name: showroom", "name: !!python/name:os.system showroom", 4, 9, "the tag .* is not supported"),
}


@pytest.mark.parametrize("case", BREAKS)
def test_a_broken_rule_is_reported_at_its_place_with_the_way_out(problem_after, case):
    old, new, line, column, message = BREAKS[case]
    problem = problem_after(old, new)
    assert re.search(message, problem.message), problem.message
    assert (problem.line, problem.column) == (line, column)


def test_a_second_document_is_refused(problems_of, valid):
    (problem,) = problems_of(valid + "---\nkind: Fleet\n")
    assert "must hold one document" in problem.message
    assert problem.line == 16


def test_an_alias_without_anchor_is_refused(problems_of, valid):
    problems = problems_of(valid.replace("name: showroom", "name: *show"))
    assert any("there is no &show before it" in problem.message for problem in problems)


def test_two_skills_with_one_port_are_refused(problems_of, valid):
    (problem,) = problems_of(valid + "    wheel:\n      labels: [a, b]\n      serving: {port: 9722}\n")
    assert "two skills must not have the same port; got 9722 for 'image-quality' and 'wheel'" in problem.message
    assert (problem.line, problem.column) == (18, 23)


def test_a_critical_skill_may_not_relax_a_gate_of_the_defaults(problems_of, valid):
    text = valid.replace("  skills:", "  defaults: {gates: {minBalancedAccuracy: 0.9}}\n  skills:")
    text += "      tier: critical\n      gates: {minBalancedAccuracy: 0.8}\n"
    (problem,) = problems_of(text)
    assert "must not relax a gate of `defaults`; minBalancedAccuracy is 0.9 there and 0.8 here" in problem.message


def test_the_only_skill_of_a_fleet_is_implied_for_sub_folders(tmp_path):
    (tmp_path / "fleet.yaml").write_text(
        "apiVersion: coachworks.dev/v1\nkind: Fleet\nmetadata: {name: x}\n"
        "spec: {sources: [{photos: .}], skills: {wheel: {labels: [a, b]}}}\n"
    )
    assert read_fleet(tmp_path / "fleet.yaml").spec.sources[0].skill == "wheel"


def test_all_problems_are_reported_at_once_by_place(tmp_path, valid):
    text = valid.replace("kind: Fleet", "kind: Pod").replace("unsure: unsure", "unsre: unsure").replace("9722", "0")
    path = tmp_path / "fleet.yaml"
    path.write_text(text.replace("[good, blurry]", "[yes, no]"))
    with pytest.raises(InvalidFleetError) as caught:
        read_fleet(path)
    assert [problem.line for problem in caught.value.problems] == [2, 11, 14, 14, 15]
    assert str(caught.value).splitlines()[0] == f"{path}:2:7: `kind` must be Fleet; got 'Pod'."


def test_the_error_survives_a_trip_between_processes():
    error = InvalidFleetError(Path("fleet.yaml"), [Problem(1, 2, "no")])
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 — our own bytes
    assert str(copy) == "fleet.yaml:1:2: no"
    assert copy.problems == error.problems


@pytest.mark.parametrize("kind", ["a FIFO", "a device", r"one of the kernel \(proc\)"])
def test_what_is_no_regular_file_is_refused_at_once(kind, tmp_path):
    paths = {"a FIFO": tmp_path / "fifo", "a device": Path("/dev/zero")}
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InvalidFleetError, match=f"cannot be read: it must be .*{kind}"):
        read_fleet(paths.get(kind, Path("/proc/self/mem")))
