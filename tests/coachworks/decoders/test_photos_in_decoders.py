"""Photos in decoder processes: the very result of reading them in this process, though they can open no file."""

import io
import json
from collections.abc import Iterator

import numpy as np
import pytest
from decoder_functions import read
from PIL import Image

from coachworks.decoders import Decoders, Lane
from coachworks.errors import PhotoError
from coachworks.models.backbone import BackboneSpec
from coachworks.models.preprocess import PREPROCESSING, features_input, normalised_rgb, rgb_input, rgb_options

LANE = Lane(name="small", workers=1, cpu_s=10, memory_bytes=256 << 20)
PIXELS = np.random.default_rng(5).integers(0, 255, (60, 80, 4), np.uint8)
MODES = {
    "JPEG": ("RGB", "L", "CMYK"),
    "PNG": ("RGB", "RGBA", "L", "LA", "P", "1", "I;16"),
    "WEBP": ("RGB", "RGBA"),
    "BMP": ("RGB", "L", "P"),
    "GIF": ("L", "P"),
    "TIFF": ("RGB", "RGBA", "L", "CMYK", "I;16", "F"),
}
OPTIONS = {"TIFF": ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"), "JPEG": ("progressive",)}


def photos() -> Iterator[tuple[str, bytes]]:
    """A photo of each format, mode and compression, with EXIF where the format has it."""
    for kind, modes in MODES.items():
        for mode in modes:
            image = Image.fromarray(PIXELS)
            image = image.convert("L").convert("I").convert(mode) if mode == "I;16" else image.convert(mode)
            for option in (None, *(OPTIONS.get(kind, ()) if mode == "RGB" else ())):
                exif = Image.Exif()
                exif[0x0112] = 6
                exif.get_ifd(0x8769)[0x9003] = "2024:05:01 12:30:00"
                file, keywords = io.BytesIO(), {} if kind in {"BMP", "GIF"} else {"exif": exif}
                extra = {"progressive": True} if option == "progressive" else {"compression": option} if option else {}
                image.save(file, kind, **keywords, **extra)
                yield f"{kind} {mode} {option}", file.getvalue()


def test_every_kind_of_photo_is_read_as_here_without_a_further_import():
    first = next(photos())[1]
    with Decoders("decoder_functions:read", [LANE], sample=first) as pool:
        idle = json.loads(pool.run(first, "small", wall_s=10))["modules"]
        kinds = dict(photos())
        assert len(kinds) > 20
        for kind, data in kinds.items():
            answer = json.loads(pool.run(data, "small", wall_s=10))
            assert answer["facts"] == json.loads(read(data))["facts"], kind
            assert answer["modules"] == idle, kind


def test_the_backbones_input_is_the_same_by_way_of_a_decoder():
    spec = BackboneSpec(
        name="tiny", digest="0" * 64, input_px=32, mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0), resampling="bicubic",
        fit="crop", dimensions=8, onnx_sha256="0" * 64, preprocessing=PREPROCESSING,
    )  # fmt: skip
    options, (_, sample) = rgb_options(spec), next(photos())
    with Decoders("coachworks.models.preprocess:rgb_input", [LANE], sample=sample, options=options) as pool:
        for kind, data in photos():
            pixels = pool.run(data, "small", wall_s=10)
            assert pixels == rgb_input(data, **options)
            assert (normalised_rgb(pixels, spec) == features_input(data, spec)).all(), kind
        with pytest.raises(PhotoError, match="truncated or damaged"):
            pool.run(sample[:200], "small", wall_s=10)
