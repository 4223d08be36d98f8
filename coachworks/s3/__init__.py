"""S3: clients, patience, errors, objects."""

from coachworks.s3.client import open_s3
from coachworks.s3.errors import error_code
from coachworks.s3.objects import Objects
from coachworks.s3.retry import Pace, Patience, patient

__all__ = ["Objects", "Pace", "Patience", "error_code", "open_s3", "patient"]
