"""The store in a bucket: atomic publishing in spite of failures of server and network, and the local cache."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from coachworks import s3
from coachworks.errors import DamagedError, InvalidConfigError, NotFoundError, TransientError
from coachworks.s3 import RetryPolicy, client, objects, retry, upload
from coachworks.store import S3Store, machine_folder, open_store
from faults import CUT, LOST, REFUSED, FaultyProxy
from s3_server import S3Server


@pytest.fixture
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits between attempts, not their number."""
    monkeypatch.setattr(retry, "DEFAULT_POLICY", RetryPolicy(initial_wait_s=0.01, max_wait_s=0.1))
    throttle = retry.Throttle()
    throttle.min_pause_s = throttle.max_pause_s = 0.01
    monkeypatch.setattr(retry, "_throttle", throttle)


@pytest.fixture
def through(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch):
    """Put a proxy before the server: `with through(error_rate=0.2) as proxy:`."""

    @contextmanager
    def proxied(**settings) -> Iterator[FaultyProxy]:
        with FaultyProxy(s3_server.url, **settings) as proxy:
            s3_server.lead_to(monkeypatch, proxy.url)
            try:
                yield proxy
            finally:
                s3_server.lead_to(monkeypatch)

    return proxied


@pytest.fixture
def elsewhere(in_bucket: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that opens the same store with another machine's cache."""

    def open_there() -> S3Store:
        monkeypatch.setenv("COACHWORKS_CACHE", str(tmp_path / "another-cache"))
        store = open_store(in_bucket.uri)
        assert isinstance(store, S3Store)
        return store

    return open_there


def publish(store: S3Store, key: str, **files: str) -> None:
    with store.scratch() as folder:
        for name, text in files.items():
            (folder / name).write_text(text)
        store.publish(folder, key)


def object_keys(server: S3Server, store: S3Store) -> list[str]:
    bucket, _, prefix = store.uri.removeprefix("s3://").partition("/")
    return [key.removeprefix(f"{prefix}/") for key in server.keys(bucket)]


def test_no_key_is_the_folder_of_another_key(in_bucket: S3Store, s3_server: S3Server) -> None:
    publish(in_bucket, "results/x/1", report="{}")
    in_bucket.set_link("latest/x", "results/x/1")
    keys = object_keys(s3_server, in_bucket)
    assert not [key for key in keys if any(other.startswith(f"{key}/") for other in keys)]


def test_the_files_of_a_tree_cannot_be_removed(in_bucket: S3Store, elsewhere) -> None:
    publish(in_bucket, "results/x/1", report="{}")
    for store in (in_bucket, elsewhere()):
        with pytest.raises(InvalidConfigError, match="key must name an object; got 'results/x/1/report'"):
            store.remove("results/x/1/report")
    assert in_bucket.read("results/x/1/report") == b"{}"


def test_a_removed_object_is_removed_from_the_cache(in_bucket: S3Store, tmp_path: Path) -> None:
    in_bucket.write("heads/a.json", b"{}")
    kept = in_bucket.fetch("heads/a.json")
    in_bucket.remove("heads/a.json")
    assert not kept.exists()


def test_files_of_a_killed_writer_are_invisible_and_do_not_block_others(
    in_bucket: S3Store, s3_server: S3Server, through, prompt: None
) -> None:
    def no_manifests(method: str, path: str) -> str | None:
        return REFUSED if method == "PUT" and path.endswith(".tree") else None

    with through(choose=no_manifests), pytest.raises(TransientError, match=r"results/x/1\.tree"):
        publish(in_bucket, "results/x/1", report="half")
    assert any("/@" in key for key in object_keys(s3_server, in_bucket))
    assert not in_bucket.exists("results/x/1")
    assert not in_bucket.exists("results/x/1/report")
    assert list(in_bucket.list("results")) == []
    with pytest.raises(NotFoundError):
        in_bucket.fetch("results/x/1")
    publish(in_bucket, "results/x/1", report="whole")
    assert list(in_bucket.list("results")) == ["results/x/1/report"]
    assert open_store(in_bucket.uri).read("results/x/1/report") == b"whole"


def test_the_loser_of_a_race_deletes_its_files(in_bucket: S3Store, s3_server: S3Server, through) -> None:
    """The other writer publishes between our check and our manifest."""
    other = open_store(in_bucket.uri)
    raced = threading.Event()

    def race(method: str, path: str) -> str | None:
        if method == "PUT" and path.endswith(".tree") and not raced.is_set():
            raced.set()
            publish(other, "results/x/1", report="theirs")
        return None

    with through(choose=race):
        publish(in_bucket, "results/x/1", report="ours")
    assert in_bucket.read("results/x/1/report") == b"theirs"
    assert in_bucket.fetch("results/x/1/report").read_bytes() == b"theirs"
    assert len(object_keys(s3_server, in_bucket)) == 2


@pytest.mark.parametrize("lost", [1, 3])
def test_a_conditional_write_succeeds_although_replies_are_lost(
    in_bucket: S3Store, through, prompt: None, lost: int
) -> None:
    left = {"PUT": lost * 2}

    def lose(method: str, path: str) -> str | None:
        if method == "PUT" and left["PUT"] and ("claim" in path or path.endswith(".tree")):
            left["PUT"] -= 1
            return LOST
        return None

    with through(choose=lose) as proxy:
        assert in_bucket.create("a/claim", b"ours")
        publish(in_bucket, "results/x/1", report="ours")
        assert proxy.counts[LOST] == 2 * lost
    assert open_store(in_bucket.uri).read("results/x/1/report") == b"ours"
    assert not in_bucket.create("a/claim", b"theirs")


def test_all_data_are_complete_although_a_fifth_of_the_requests_fail(
    in_bucket: S3Store, through, prompt: None, elsewhere
) -> None:
    names = [f"{number:02}" for number in range(40)]
    with through(error_rate=0.2, seed=7, stall_s=0.1) as proxy:
        for name in names:
            in_bucket.write(f"photos/{name}", name.encode() * 1000)
        assert all(in_bucket.create(f"claims/{name}", name.encode()) for name in names)
        publish(in_bucket, "results/x/1", **{name: name * 1000 for name in names})
        in_bucket.set_link("latest/x", "results/x/1")
        there = elsewhere()
        assert list(there.list("photos")) == [f"photos/{name}" for name in names]
        assert all(there.read(f"photos/{name}") == name.encode() * 1000 for name in names)
        tree = there.fetch(there.resolve_link("latest/x"))
        assert {path.name: path.read_text() for path in tree.iterdir()} == {name: name * 1000 for name in names}
        assert list(there.list("results")) == [f"results/x/1/{name}" for name in names]
        assert proxy.spoilt > 40
        assert len(proxy.counts) == 6


def test_an_incomplete_response_body_is_requested_again(in_bucket: S3Store, through, prompt: None) -> None:
    in_bucket.write("big", bytes(range(256)) * 4000)
    cut = iter([CUT, CUT])
    with through(choose=lambda method, _: next(cut, None) if method == "GET" else None) as proxy:
        assert in_bucket.read("big") == bytes(range(256)) * 4000
        assert proxy.counts[CUT] == 2


def test_large_files_are_transferred_in_parts_and_complete(
    in_bucket: S3Store,
    s3_server: S3Server,
    through,
    prompt: None,
    elsewhere,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "large"
    file.write_bytes(os.urandom((5 << 20) * 5 + 123))
    monkeypatch.setattr(upload, "PART_BYTES", 5 << 20)
    monkeypatch.setattr(objects, "BLOCK_BYTES", 3 << 20)
    monkeypatch.setattr(objects, "LARGE_BYTES", 6 << 20)
    seen: list[str] = []
    lost = iter([LOST])

    def lose_the_last_reply(method: str, path: str) -> str | None:
        seen.append(f"{method} {path.partition('?')[2].partition('=')[0]}")
        if method == "POST" and "uploadId" in path:
            return next(lost, None)
        return REFUSED if len(seen) % 4 == 0 else None

    with through(choose=lose_the_last_reply) as proxy:
        in_bucket.write_file("backbones/large.onnx", file)
        assert proxy.counts[LOST] == 1
        assert elsewhere().fetch("backbones/large.onnx").read_bytes() == file.read_bytes()
    assert sum(line.startswith("PUT") for line in seen) >= 6
    assert object_keys(s3_server, in_bucket) == ["backbones/large.onnx"]


def test_a_second_fetch_uses_the_cache(in_bucket: S3Store, through, elsewhere) -> None:
    publish(in_bucket, "results/x/1", a="a", b="b")
    in_bucket.write("backbone.onnx", b"onnx")
    gets: list[str] = []
    with through(choose=lambda method, path: gets.append(path) if method == "GET" else None):
        for _ in range(2):
            there = elsewhere()
            assert there.fetch("results/x/1/a").read_text() == "a"
            assert there.fetch("backbone.onnx").read_bytes() == b"onnx"
    assert sum(path.endswith("/a") and "%40" in path for path in gets) == 1
    assert sum(path.endswith("/b") for path in gets) == 0
    assert sum(path.endswith("/backbone.onnx") for path in gets) == 1


def test_a_tree_published_on_this_machine_is_not_downloaded(in_bucket: S3Store, through) -> None:
    gets: list[str] = []
    with through(choose=lambda method, path: gets.append(path) if method == "GET" else None):
        publish(in_bucket, "results/x/1", a="a")
        del gets[:]
        assert in_bucket.fetch("results/x/1/a").read_text() == "a"
    assert gets == []


def test_several_processes_share_the_cache(in_bucket: S3Store, elsewhere) -> None:
    publish(in_bucket, "results/x/1", **{f"{number:02}": "x" * number for number in range(30)})
    there = elsewhere()
    code = (
        "import sys; from coachworks.store import open_store\n"
        "tree = open_store(sys.argv[1]).fetch('results/x/1')\n"
        "assert all((tree / f'{n:02}').read_text() == 'x' * n for n in range(30))"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, there.uri]) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert not list((machine_folder(there) / "tmp").glob("*"))


def test_a_truncated_copy_is_downloaded_again(in_bucket: S3Store) -> None:
    publish(in_bucket, "results/x/1", a="whole")
    in_bucket.fetch("results/x/1/a").write_text("ha")
    assert in_bucket.fetch("results/x/1/a").read_text() == "whole"


def test_addresses_are_those_of_the_bucket_s_objects(in_bucket: S3Store, s3_server: S3Server) -> None:
    publish(in_bucket, "results/x/1", report="{}")
    in_bucket.write("photos/1.jpg", b"photo")
    bucket = in_bucket.uri.split("/")[2]
    there = {f"s3://{bucket}/{key}" for key in s3_server.keys(bucket)}
    assert in_bucket.address("results/x/1/report") in there
    assert f"{in_bucket.address('results/x/1')}/report" in there
    assert in_bucket.address("photos/1.jpg") in there


@pytest.mark.parametrize("again", [True, False])
def test_a_tree_that_another_process_removed_is_looked_up_again(in_bucket: S3Store, elsewhere, again: bool) -> None:
    publish(in_bucket, "results/x/1", a="a")
    reader = elsewhere()
    assert reader.read("results/x/1/a") == b"a"
    repairing = elsewhere()
    [tree] = [content for content in repairing.contents().walk() if content.key == "results/x/1"]
    repairing.contents().remove(tree)
    if again:
        publish(repairing, "results/x/1", a="a")
        assert reader.read("results/x/1/a") == b"a"
        assert (reader.fetch("results/x/1") / "a").read_bytes() == b"a"
    else:
        with pytest.raises(NotFoundError, match=r"results/x/1/a"):
            reader.read("results/x/1/a")
        with pytest.raises(NotFoundError, match=r"results/x/1"):
            reader.fetch("results/x/1")


def test_a_tree_with_a_missing_file_is_reported_with_the_way_out(
    in_bucket: S3Store, s3_server: S3Server, elsewhere
) -> None:
    publish(in_bucket, "results/x/1", a="a", b="b")
    client = s3.open_s3()
    bucket = in_bucket.uri.split("/")[2]
    (file,) = [key for key in s3_server.keys(bucket) if key.endswith("/b")]
    client.delete_object(Bucket=bucket, Key=file)
    with pytest.raises(DamagedError, match=r"'results/x/1/b' of the store s3://.* is damaged: it is missing\. Run `c"):
        elsewhere().fetch("results/x/1")


def test_an_invalid_manifest_is_named(in_bucket: S3Store) -> None:
    s3.open_s3().put_object(Bucket=in_bucket.uri.split("/")[2], Key="some/prefix/results/x/1.tree", Body=b"{")
    with pytest.raises(DamagedError, match=r"'results/x/1\.tree' .* is damaged: it must be the manifest of a tree"):
        in_bucket.exists("results/x/1")


def test_damaged_content_is_detected(in_bucket: S3Store, prompt: None) -> None:
    bucket = in_bucket.uri.split("/")[2]
    s3.open_s3().put_object(Bucket=bucket, Key="some/prefix/x", Body=b"other", Metadata={"sha256": "0" * 64})
    damage = r"'x' of the store s3://.* its SHA-256 must begin with 0{16}; 3 times it began with d9298a10d1b07358\. Run"
    with pytest.raises(DamagedError, match=damage):
        in_bucket.read("x")
    with pytest.raises(DamagedError, match=damage):
        in_bucket.fetch("x")


def test_two_stores_in_one_bucket_are_separate(bucket: str) -> None:
    one, two = open_store(f"s3://{bucket}/one"), open_store(f"s3://{bucket}/one-more")
    one.write("a/x", b"1")
    two.write("a/y", b"2")
    assert list(one.list("a")) == ["a/x"]
    assert list(two.list("a")) == ["a/y"]
    assert machine_folder(one) != machine_folder(two)
    root = open_store(f"s3://{bucket}")
    root.write("b/z", b"3")
    assert list(root.list("b")) == ["b/z"]


def test_a_store_can_be_used_after_a_fork(in_bucket: S3Store) -> None:
    in_bucket.write("a", b"parent")
    pid = os.fork()
    if pid == 0:
        try:
            in_bucket.write("b", in_bucket.read("a") + b" and child")
        finally:
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert in_bucket.read("b") == b"parent and child"


def test_a_missing_bucket_and_a_missing_boto3_are_reported_with_the_way_out(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFoundError, match=r"has no bucket 'no-such-bucket'. Create it"):
        open_store("s3://no-such-bucket/x").write("a", b"")
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.setattr(client, "_clients", {})
    with pytest.raises(InvalidConfigError, match=r"boto3, .*not installed.*pip install 'coachworks\[s3\]'"):
        open_store(f"s3://{bucket}/x").read("a")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"COACHWORKS_CACHE": "/one"}, "/one/stores"),
        ({"XDG_CACHE_HOME": "{tmp}/two"}, "{tmp}/two/coachworks/stores"),
        ({"HOME": "{tmp}/three"}, "{tmp}/three/.cache/coachworks/stores"),
    ],
)
def test_the_environment_sets_the_folder_of_the_cache(
    environ: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("COACHWORKS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value.format(tmp=tmp_path))
    folder = machine_folder(open_store("s3://bucket/some/prefix"))
    assert str(folder.parent) == expected.format(tmp=tmp_path)
    assert folder.name.startswith("bucket-some-prefix-")
