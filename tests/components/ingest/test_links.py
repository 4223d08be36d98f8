"""Symbolic links and special files among the photos."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from coachworks.errors import InvalidConfigError
from components.ingest.folder_walk import FolderFile, walk_folder
from components.ingest.source_answers import read_answers


def aside(read):
    return {(entry["file"], entry["reason"]) for entry in read.rejected}


def link(path: Path, target: str | Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


@pytest.fixture
def links(draw, tmp_path):
    """A folder with a photo and links out of it: to files, folders, through `..`, through a link inside."""
    draw("elsewhere/b.jpg", 2)
    draw("photos/cat/a.jpg", 1)
    photos = tmp_path / "photos"
    link(photos / "dog", tmp_path / "elsewhere")
    link(photos / "cat/passwd.jpg", "/etc/passwd")
    link(photos / "cat/up.jpg", "../../elsewhere/b.jpg")
    link(photos / "cat/through.jpg", "up.jpg")
    link(photos / "prefix", tmp_path / "photos-2")
    draw("photos-2/c.jpg", 3)
    return photos


def test_links_out_of_the_folder_are_set_aside_with_the_way_out(links, taken_in):
    read = taken_in()
    assert list(read.catalogue.filename) == ["cat/a.jpg"]
    names = ("dog", "cat/passwd.jpg", "cat/up.jpg", "cat/through.jpg", "prefix")
    assert aside(read) == {(name, "outside") for name in names}
    assert read.report.rejected == {"outside": 5}
    message = next(entry["message"] for entry in read.rejected if entry["file"] == "dog")
    assert message == (
        f"it is a link out of the folder of photos, to {links.parent}/elsewhere; "
        "`followLinks: true` at the source follows it"
    )


def test_links_out_of_the_folder_are_followed_where_the_source_says_so(links, taken_in):
    read = taken_in({"photos": "photos", "followLinks": True})
    assert list(read.catalogue.filename) == ["cat/a.jpg", "cat/through.jpg", "prefix/c.jpg"]
    assert aside(read) == {("cat/passwd.jpg", "not-a-photo")}  # up.jpg and dog/b.jpg are the same file as through.jpg
    assert read.labelled["prefix/c.jpg", "animal"] == "prefix"


def test_a_table_cannot_name_photos_behind_links_out_of_the_folder(links, table, taken_in):
    read = taken_in(table("filename,animal\ncat/up.jpg,cat\ndog/b.jpg,dog\ncat/a.jpg,cat\n"))
    assert list(read.catalogue.filename) == ["cat/a.jpg"]
    assert ("dog/b.jpg", "missing") in aside(read)


@pytest.mark.parametrize("follow", [False, True])
def test_links_that_stay_inside_give_each_photo_once_under_its_own_name(follow, draw, taken_in, tmp_path):
    draw("photos/dog/a.jpg", 1)
    photos = tmp_path / "photos"
    link(photos / "cat", "dog")  # comes before the folder that it leads to
    link(photos / "dog/again.jpg", "a.jpg")
    link(photos / "dog/loop", photos)
    link(photos / "gone.jpg", tmp_path / "nowhere.jpg")
    link(photos / "self.jpg", "self.jpg")
    os.link(photos / "dog/a.jpg", photos / "dog/hard.jpg")
    read = taken_in({"photos": "photos", "followLinks": follow})
    assert list(read.catalogue.filename) == ["dog/a.jpg"]
    assert aside(read) == {("gone.jpg", "unreadable"), ("self.jpg", "unreadable"), ("dog/hard.jpg", "duplicate")}


def test_links_to_a_hidden_folder_inside_are_followed_once(draw, taken_in, tmp_path):
    draw("photos/..2024/a.jpg", 1)  # as Kubernetes mounts a ConfigMap
    link(tmp_path / "photos/..data", "..2024")
    link(tmp_path / "photos/cat", "..data")
    link(tmp_path / "photos/later", "..data")
    assert list(taken_in().catalogue.filename) == ["cat/a.jpg"]


def test_the_folder_itself_may_be_a_link(draw, taken_in, tmp_path):
    draw("archive/cat/a.jpg", 1)
    link(tmp_path / "photos", "archive")
    link(tmp_path / "archive/cat/again.jpg", "a.jpg")
    assert list(taken_in().catalogue.filename) == ["cat/a.jpg"]


@pytest.mark.parametrize("swapped", ["photos/cat/a.jpg", "photos/cat"])
def test_a_link_that_replaces_a_file_or_folder_after_the_listing_is_not_read(swapped, draw, tmp_path):
    draw("photos/cat/a.jpg", 1)
    secret = draw("elsewhere/a.jpg", 2)
    (file,) = walk_folder(str(tmp_path / "photos"), "photos")
    assert isinstance(file, FolderFile)
    assert file.read(10)
    place = tmp_path / swapped
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    place.symlink_to(secret.parent if swapped.endswith("cat") else secret)
    with pytest.raises(OSError, match="replaced by a link out of the folder"):
        file.read(10)


def test_check_takes_no_link_out_of_the_folder_for_a_label(links, make_fleet):
    for follow, labels in ((False, {"cat"}), (True, {"cat", "dog", "prefix"})):
        fleet = make_fleet({"photos": "photos", "followLinks": follow})
        answers = read_answers(fleet.spec.sources[0], fleet)
        assert answers is not None
        assert set(answers.skills["animal"]) == labels


def test_special_files_are_set_aside_unread(draw, taken_in, tmp_path, monkeypatch):
    draw("photos/a.jpg")
    os.mkfifo(tmp_path / "photos/pipe.jpg")
    monkeypatch.chdir(tmp_path / "photos")  # a socket's path is at most 108 bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")
        names = {"pipe.jpg", "socket.jpg"}
        for name, target in {"zero.jpg": "/dev/zero", "memory.jpg": "/proc/self/mem", "proc": "/proc"}.items():
            (tmp_path / "photos" / name).symlink_to(target)
            names.add(name)
        with (tmp_path / "photos/sparse.jpg").open("wb") as sparse:
            sparse.truncate(10**12)
        read = taken_in({"photos": "photos", "followLinks": True})
    assert aside(read) == {*((name, "unreadable") for name in names), ("sparse.jpg", "not-a-photo")}


def test_a_fifo_that_replaces_a_file_after_the_listing_keeps_nobody_waiting(draw, tmp_path):
    path = draw("photos/a.jpg")
    (file,) = walk_folder(str(tmp_path / "photos"), "photos")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="regular file; it is a FIFO"):
        file.read(10)


def test_a_folder_of_the_kernel_is_no_folder_of_photos(taken_in):
    with pytest.raises(InvalidConfigError, match=r"folder on a disk; got '/proc/sys', one of the kernel \(proc\)"):
        taken_in({"photos": "/proc/sys"})
