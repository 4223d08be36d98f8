"""Resolve requirements.lock anew from pyproject.toml: `write_lock.py requirements.lock [PACKAGE-TO-UPGRADE]...`.

Each requirement has the hashes of all files of its release, and a comment that names the images it goes into. The same
versions without hashes go into requirements.txt beside it.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
# target of the Dockerfile -> the extras that its image has
EXTRAS = {
    "serving": ("serving", "s3"),
    "steps": ("steps",),
    "platform": ("platform",),
    "deployer": ("deploy",),
}
# torch's CUDA build depends on these, its CPU build does not: torch pins them.
OF_CUDA = re.compile(r"nvidia-(c|nc|nv)|cuda-|triton")
TORCH_CPU = "https://download.pytorch.org/whl/cpu"


def read_lock(text: str) -> dict[str, str]:
    """Return the requirement of each name: `name==version`, and lines with its hashes."""
    blocks = re.findall(r"^\S+==(?:.*\\\n)*.*$", text, flags=re.MULTILINE)
    return {block.partition("==")[0]: block for block in blocks}


def pin(block: str) -> str:
    """Return the `name==version` of a requirement."""
    return block.split(maxsplit=1)[0]


def pins(lock: str) -> str:
    """Return the requirements of a lock without hashes, which pip installs with either build of torch.

    With hashes, pip asks for those of all that a CUDA build of torch needs, too, and these are not in the lock.
    """
    return "".join(f"{pin(block)}\n" for block in read_lock(lock).values())


def hashes(block: str) -> set[str]:
    """Return the hashes of a requirement."""
    return set(re.findall(r"sha256:[0-9a-f]{64}", block))


def compile_requirements(*arguments: str, wheels: bool = True) -> dict[str, str]:
    """Resolve requirements with uv; without `wheels`, from the index alone and no folder of wheels.

    Raises:
        subprocess.CalledProcessError: uv failed; its message is on standard error.
    """
    command = [Path(sys.executable).with_name("uv"), "pip", "compile", "--quiet", "--no-header", "--no-annotate"]
    command += ["--no-emit-find-links", "--no-emit-index-url", *arguments]
    environ = {name: value for name, value in os.environ.items() if wheels or name != "UV_FIND_LINKS"}
    return read_lock(
        subprocess.run(command, cwd=ROOT, env=environ, check=True, stdout=subprocess.PIPE, text=True).stdout
    )


def resolve(extras: tuple[str, ...], pins: list[str], *arguments: str) -> dict[str, str]:
    """Resolve the requirements of pyproject.toml with `extras`, each at its version in `pins` if it has one there."""
    chosen = [word for extra in extras for word in ("--extra", extra)]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join(pins))
        constraints.flush()
        requirements = compile_requirements("pyproject.toml", *chosen, "-c", constraints.name, *arguments)
    return {name: block for name, block in requirements.items() if not OF_CUDA.match(name)}


def of_torch(requirement: str, known: str) -> set[str]:
    """Return the hashes of torch's builds: the package index's, the CPU index's, and `known` of the same version."""
    builds = hashes(known) if known.startswith(f"{requirement} ") else set()
    with tempfile.NamedTemporaryFile("w", suffix=".in") as file:
        file.write(requirement)
        file.flush()
        for name, index in {"the package index": (), TORCH_CPU: ("--default-index", TORCH_CPU)}.items():
            try:
                arguments = (*index, "--no-deps", "--generate-hashes", file.name)
                builds |= hashes(compile_requirements(*arguments, wheels=False)["torch"])
            except subprocess.CalledProcessError:
                print(f"{requirement}: {name} gave no hashes; those already in the lock stay.", file=sys.stderr)
    return builds


def main(lock: Path, *upgrades: str) -> None:
    """Write the lock; versions stay where they still fit, but for those of the packages in `upgrades`."""
    known = read_lock(lock.read_text("utf-8"))
    if missing := [name for name in upgrades if name not in known]:
        sys.exit(f"{', '.join(missing)} is not in {lock}; add it to pyproject.toml first")
    every = resolve(
        ("dev",), [pin(block) for name, block in known.items() if name not in upgrades], "--generate-hashes"
    )
    torch = pin(every["torch"]).removesuffix("+cpu")
    builds = hashes(every["torch"]) | of_torch(torch, known.get("torch", ""))
    every["torch"] = " \\\n    ".join([torch, *(f"--hash={each}" for each in sorted(builds))])
    images: dict[str, list[str]] = {name: [] for name in every}
    for target, extras in EXTRAS.items():
        for name in resolve(extras, [pin(block) for block in every.values()]):
            images[name].append(target)
    lock.write_text(
        "".join(f"# images: {', '.join(images[name]) or 'none'}\n{every[name]}\n" for name in every), "utf-8"
    )
    lock.with_name("requirements.txt").write_text(pins(lock.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
