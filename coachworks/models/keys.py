"""Keys of heads and converted backbones in the store."""


def head_key(digest: str) -> str:
    """Return the key of a registered head's file, by the SHA-256 of its content.

    >>> head_key("3f2a")
    'heads/3f2a.safetensors'
    """
    return f"heads/{digest}.safetensors"


def head_manifest_key(digest: str) -> str:
    """Return the key of the JSON manifest beside a registered head."""
    return f"heads/{digest}.json"


def onnx_key(digest: str) -> str:
    """Return the key of a converted backbone's ONNX file, by the backbone's digest."""
    return f"backbones/{digest}.onnx"


def backbone_spec_key(digest: str) -> str:
    """Return the key of the JSON specification beside a converted backbone."""
    return f"backbones/{digest}.json"
