"""Keys of stored models: where the store keeps heads and converted backbones."""


def head_key(digest: str) -> str:
    """Key of a registered head's file, by the SHA-256 of its content.

    >>> head_key("3f2a")
    'heads/3f2a.safetensors'
    """
    return f"heads/{digest}.safetensors"


def head_manifest_key(digest: str) -> str:
    """Key of the JSON manifest beside a registered head."""
    return f"heads/{digest}.json"


def onnx_key(digest: str) -> str:
    """Key of a converted backbone's ONNX file, by the backbone's digest."""
    return f"backbones/{digest}.onnx"


def backbone_spec_key(digest: str) -> str:
    """Key of the JSON specification beside a converted backbone."""
    return f"backbones/{digest}.json"
