import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from components.ingest.quality_measures import difference_hash
from validation.near_duplicates import close_pairs, find_near_duplicates, likeness, structure


def scene(seed, *, shift=0, noise=0):
    random = np.random.default_rng(seed)
    blocks = Image.fromarray(random.integers(0, 255, (6, 6, 3), dtype=np.uint8))
    image = blocks.resize((208, 208), Image.Resampling.BICUBIC).crop((shift, shift, shift + 200, shift + 200))
    pixels = np.asarray(image, dtype=np.int16) + np.random.default_rng(seed + 1).integers(
        -noise, noise + 1, (200, 200, 3)
    )
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def wall(tilt):
    """Draw a plain wall under a lamp: broad shade, and one mark whose place depends on `tilt`."""
    shade = np.linspace(120, 220, 200)[None, :] + np.zeros((200, 1))
    pixels = np.repeat(shade[:, :, None], 3, axis=2)
    y, x = (60, 60) if tilt else (130, 120)
    pixels[y : y + 18, x : x + 18] -= 60
    return Image.fromarray(pixels.astype(np.uint8))


def find(images, **settings_):
    names = [str(n) for n in range(len(images))]
    hashes = [difference_hash(image.convert("L")) for image in images]
    chosen = {"distance": 8, "similarity": 0.9, **settings_}
    return find_near_duplicates(names, hashes, lambda name: images[int(name)], **chosen)


def test_the_same_scene_a_moment_later_is_found():
    result = find([scene(0), scene(1), scene(0, shift=3, noise=12), scene(2)])
    assert result.pairs == (("0", "2"),)


def test_two_objects_on_one_plain_wall_are_candidates_but_not_near_duplicates():
    result = find([wall(False), wall(True)], distance=16)
    assert result.candidates == 1
    assert result.pairs == ()


def test_photos_without_structure_have_no_near_duplicates():
    plain = Image.new("RGB", (200, 200), "grey")
    assert likeness(structure(plain), structure(plain)) == 0
    assert find([plain, plain]).pairs == ()


def test_a_blurred_copy_is_still_similar_to_the_original():
    sharp = scene(3)
    assert likeness(structure(sharp), structure(sharp.filter(ImageFilter.GaussianBlur(2)))) > 0.95


def test_likeness_is_bounded_and_one_for_equal_photos():
    first, second = structure(scene(4)), structure(scene(5))
    assert likeness(first, first) == pytest.approx(1)
    assert -1 <= likeness(first, second) < 0.5


@pytest.mark.parametrize("missing", [None, float("nan"), "", "not a hash", "12"])
def test_photos_without_a_hash_are_left_out(missing):
    result = find_near_duplicates(["a", "b"], [missing, "0" * 16], lambda name: scene(0), distance=8, similarity=0.9)
    assert result.pairs == ()


def test_photos_that_cannot_be_read_are_left_out():
    result = find_near_duplicates(["a", "b"], ["0" * 16] * 2, lambda name: None, distance=8, similarity=0.9)
    assert (result.candidates, result.pairs) == (1, ())


def test_no_photos_give_no_pairs():
    assert find_near_duplicates([], [], lambda name: None, distance=8, similarity=0.9).pairs == ()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), max_size=18), st.integers(0, 64))
def test_close_pairs_are_those_of_a_double_loop(values, distance):
    left, right = close_pairs(np.array(values, dtype=np.uint64), distance)
    expected = [
        (i, j)
        for i in range(len(values))
        for j in range(i + 1, len(values))
        if (values[i] ^ values[j]).bit_count() <= distance
    ]
    assert list(zip(left.tolist(), right.tolist(), strict=True)) == expected


def test_the_pairs_of_one_common_hash_do_not_grow_with_the_square():
    left, _ = close_pairs(np.zeros(5_000, dtype=np.uint64), 8)
    assert len(left) == 4_999


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=6), st.data())
@settings(max_examples=15, deadline=None)
def test_pairs_that_were_compared_earlier_are_not_read_and_the_outcome_is_the_same(drawn, data):
    images = [scene(seed, shift=shift) for seed, shift in drawn]
    names = [str(number) for number in range(len(images))]
    hashes = [difference_hash(image.convert("L")) for image in images]
    earlier = data.draw(st.integers(0, len(images)))
    read = []

    def compare(count, compared):
        def image_of(name):
            read.append(name)
            return images[int(name)]

        return find_near_duplicates(
            names[:count], hashes[:count], image_of, distance=8, similarity=0.9, compared=compared
        )

    before, whole = compare(earlier, {}), compare(len(images), {})
    read.clear()
    assert compare(len(images), before.likenesses) == whole
    assert set(read) == {name for pair in whole.likenesses.keys() - before.likenesses.keys() for name in pair}
