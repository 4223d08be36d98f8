"""Decoding of untrusted photo files, the same for ingest, training and serving."""

from coachworks.photos.boxes import WHOLE, Box, Crop, Frame, check_inside, parse_box, parse_turn
from coachworks.photos.cost import MAX_DECODE_BYTES, DecodeCost, decode_cost
from coachworks.photos.decode import Photo, decode_photo, exif_date, read_photo
from coachworks.photos.formats import (
    EXTENSIONS,
    FORMATS,
    MAX_BYTES,
    MAX_PIXELS,
    SUFFIXES,
    LargePhotoError,
    Reason,
    has_photo_head,
    large_file_error,
    photo_key,
)

__all__ = [
    "EXTENSIONS",
    "FORMATS",
    "MAX_BYTES",
    "MAX_DECODE_BYTES",
    "MAX_PIXELS",
    "SUFFIXES",
    "WHOLE",
    "Box",
    "Crop",
    "DecodeCost",
    "Frame",
    "LargePhotoError",
    "Photo",
    "Reason",
    "check_inside",
    "decode_cost",
    "decode_photo",
    "exif_date",
    "has_photo_head",
    "large_file_error",
    "parse_box",
    "parse_turn",
    "photo_key",
    "read_photo",
]
