"""Photos cropped to their box: what the backbone sees, and which features are computed again."""

import numpy as np
import pytest
from PIL import Image

from coachworks.features import load_features
from coachworks.models.backbone import fetch_onnx, read_backbone
from coachworks.models.preprocess import features_input, normalised_rgb, preprocess, rgb_framed_input, rgb_options
from coachworks.models.session import open_session, run_session
from coachworks.photos import WHOLE, Box, Crop, Frame, decode_photo
from coachworks.photos.boxes import prefixed
from coachworks.progress import SILENT
from components.augment.step import augment
from components.embed.backbones import find_backbone
from components.embed.config import EmbedConfig
from components.embed.framing import framed_backbone
from components.embed.step import embed
from components.embed.stored_features import listed_photos, read_features

CROP = {"crop": "box", "margin": 0.1}
LAST_ONLY = EmbedConfig(workers=1, feature_groups="last", study_photos=0)


@pytest.fixture
def embedded(store, upstream):
    """Embeds four photos, cropped to the given boxes by number."""

    def run(boxes: dict[int, str], **framing):
        fleet = upstream.fleet(store, framing=framing or CROP, augment={"views": 0})
        drawn = upstream.photos(store, range(4))
        named = {drawn[number].photo_id: box for number, box in boxes.items()}
        key = upstream.validated(store, drawn, boxes=named)
        return fleet, drawn, embed(fleet, augment(fleet, key).key, config=LAST_ONLY)

    return run


def test_features_are_those_of_the_box_with_its_margin_and_whole_photos_stay_whole(store, embedded):
    fleet, drawn, result = embedded({0: "40,30,140,80"})
    report = result.report
    spec = read_backbone(store, report.backbone_digest)
    assert (spec.crop, spec.margin) == ("box", 0.1)
    session = open_session(fetch_onnx(store, spec), 1)
    features = read_features(fleet, result, [photo.photo_id for photo in drawn[:2]], 0, progress=SILENT)
    part = decode_photo(store.read(drawn[0].key)).crop((30, 25, 150, 85))
    pixels = [preprocess(part, spec), features_input(store.read(drawn[1].key), spec)]
    np.testing.assert_allclose(features, run_session(session, np.stack(pixels), ("last",)), atol=1e-3)


def test_only_photos_whose_box_changes_are_embedded_again(embedded):
    _, drawn, first = embedded({0: "40,30,140,80", 1: "0,0,90,90"})
    assert first.report.computed == 4
    _, _, second = embedded({0: "40,30,140,81", 1: "0,0,90,90"})
    assert (second.report.computed, second.report.reused) == (1, 3)
    assert [photo.frame.box for photo in listed_photos(second)].count(None) == 2
    assert len(drawn) == 4


def test_without_cropping_boxes_change_no_key_and_no_feature(store, embedded):
    _, drawn, result = embedded({0: "40,30,140,80"}, crop="none")
    assert result.report.backbone_digest == find_backbone("efficientnet-lite0").digest
    assert {photo.row_id for photo in listed_photos(result)} == {photo.photo_id for photo in drawn}
    assert load_features(store, result.report, [drawn[0].photo_id], 0).shape == (1, 1280)


def test_the_digest_of_a_backbone_depends_on_the_margin_only_where_photos_are_cropped(store, upstream):
    digests = {
        name: framed_backbone("efficientnet-lite0", upstream.fleet(store, framing=framing)).digest
        for name, framing in {
            "none": {}, "margin": {"margin": 0.2}, "box": {"crop": "box"}, "wide": {"crop": "box", "margin": 0.2},
        }.items()
    }  # fmt: skip
    assert digests["none"] == digests["margin"] == find_backbone("efficientnet-lite0").digest
    assert len(set(digests.values())) == 3


@pytest.mark.parametrize("size", [(64, 48), (900, 700), (2600, 1900)])
def test_serving_decodes_a_box_to_the_very_pixels_of_training(store, upstream, size):
    import io

    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(file, "JPEG")
    spec = framed_backbone("efficientnet-lite0", upstream.fleet(store, framing=CROP))
    box = Box(size[0] * 0.25, size[1] * 0.5, size[0] * 0.5, size[1] * 0.9)
    trained = features_input(file.getvalue(), spec, Crop(box, spec.margin))
    served = rgb_framed_input(prefixed(Frame(box), file.getvalue()), margin=spec.margin, **rgb_options(spec))
    np.testing.assert_array_equal(normalised_rgb(served, spec), trained)
    turned = rgb_framed_input(prefixed(Frame(box, 90), file.getvalue()), margin=spec.margin, **rgb_options(spec))
    np.testing.assert_array_equal(normalised_rgb(turned, spec), np.rot90(trained, -1, (1, 2)))
    whole = rgb_framed_input(prefixed(WHOLE, file.getvalue()), margin=spec.margin, **rgb_options(spec))
    np.testing.assert_array_equal(normalised_rgb(whole, spec), features_input(file.getvalue(), spec))


@pytest.mark.slow
def test_jitter_moves_the_boxes_of_views_alone(store, upstream):
    drawn = upstream.photos(store, range(3))
    key = upstream.validated(store, drawn, boxes={drawn[0].photo_id: "40,30,140,80"})
    jitter = {"views": 1, "transforms": [{"box-jitter": {"percent": 20, "p": 1.0}}]}
    fleet = upstream.fleet(store, framing=CROP, augment=jitter)
    result = embed(fleet, augment(fleet, key).key, config=LAST_ONLY)
    ids = [photo.photo_id for photo in drawn]
    clean, view = (read_features(fleet, result, ids, number, progress=SILENT) for number in (0, 1))
    differences = np.abs(clean - view).max(1)
    assert differences[0] > 0.05
    assert differences[1:].max() < 1e-3, "photos without a box stay as they are"


@pytest.mark.slow
def test_photos_are_turned_upright_as_their_table_says(store, upstream):
    drawn = upstream.photos(store, range(3))
    turns = {drawn[0].photo_id: "90", drawn[1].photo_id: "0"}
    key = upstream.validated(store, drawn, boxes={drawn[0].photo_id: "40,30,140,80"}, turns=turns)
    fleet = upstream.fleet(store, framing={**CROP, "upright": "table"}, augment={"views": 0})
    result = embed(fleet, augment(fleet, key).key, config=LAST_ONLY)
    assert [photo.frame.turn for photo in listed_photos(result)].count(90) == 1
    spec = read_backbone(store, result.report.backbone_digest)
    assert spec.upright == "table"
    features = read_features(fleet, result, [drawn[0].photo_id, drawn[1].photo_id], 0, progress=SILENT)
    part = decode_photo(store.read(drawn[0].key)).crop((30, 25, 150, 85)).transpose(Image.Transpose.ROTATE_270)
    pixels = [preprocess(part, spec), features_input(store.read(drawn[1].key), spec)]
    session = open_session(fetch_onnx(store, spec), 1)
    np.testing.assert_allclose(features, run_session(session, np.stack(pixels), ("last",)), atol=1e-3)
