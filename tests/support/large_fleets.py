"""Fleet files, and tables beside them, that are large, wrong in many places, or made to keep a reader busy."""

from pathlib import Path

_HEAD = "apiVersion: coachworks.dev/v1\nkind: Fleet\nmetadata: {{name: large}}\nspec:\n{}  skills:\n"
_SOURCE = "  sources: [{photos: photos, table: t.csv}]\n"


def _skills(number: int, more: str = "", spec: str = _SOURCE) -> str:
    each = (f"    skill-{i}:\n      labels: [a, b]\n{more.replace('#', str(i))}" for i in range(number))
    return _HEAD.format(spec) + "".join(each)


def _one(labels: str, more: str = "", spec: str = _SOURCE) -> str:
    return _HEAD.format(spec) + f"    colour:\n      labels: [{labels}]\n{more}"


def _labels(number: int) -> str:
    return ", ".join(f"label-{i}" for i in range(number))


def _answers(number: int, label: str) -> str:
    return "filename,colour\n" + "".join(f"{i}.jpg,{label.replace('#', str(i))}\n" for i in range(number))


def large_fleets(scale: float = 1.0) -> dict[str, tuple[str, str]]:
    """Text of a fleet file and of its table by name; `scale` 1 is what the promise of `check` is about."""

    def of(number: int) -> int:
        return max(2, int(number * scale))

    skills, labels = of(8_000), of(20_000)
    stray = "  deploy:\n    skills:\n" + "".join(f"      skil-{i}: {{}}\n" for i in range(skills // 2))
    sources = "  sources:\n" + "".join(f"  - {{photos: p{i}, skill: color-{i}}}\n" for i in range(of(15_000)))
    similar = ", ".join(f"[lebel-{i}, lebel-{i}x]" for i in range(of(5_000)))
    wide = of(20_000)
    aliases = "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(12))
    return {
        "skills without answers": (_skills(skills), "filename\n"),
        "service names": (_skills(skills, "      serving: {serviceName: svc-#}\n"), "filename\n"),
        "earlier names": (_skills(skills, "      was: old-#\n"), "filename\n"),
        "unknown keys": (_skills(skills, "      tierr: x\n"), "filename\n"),
        "unknown skills to deploy": (
            _skills(skills // 2, spec=f"{_SOURCE}{stray}"),
            "filename\n",
        ),
        "unknown skills of sources": (_one("a, b", spec=sources), "filename\n"),
        "unknown similar labels": (_one(_labels(labels // 2), f"      similar: [{similar}]\n"), "filename\n"),
        "unknown answers": (_one("red, green"), _answers(labels, "lab#x")),
        "unknown answers, many labels": (_one(_labels(labels)), _answers(labels, "labels-#x")),
        "a long table": (_one("red, green"), _answers(of(1_000_000), "red")),
        "a wide table": (
            _one("red, green"),
            f"filename,{','.join(f'c{i}' for i in range(wide))}\n" + f"1.jpg,{','.join(['x'] * wide)}\n" * 5,
        ),
        "nesting": ("a: " + "[" * of(100_000), ""),
        "aliases": (f"a: &a [x,x,x,x,x,x,x,x,x]\n{aliases}", ""),
        "spaces": (" " * of(1_000_000), ""),
        "one long value": ("a: " + "x" * of(1_000_000), ""),
        "lines": ("a\n" * of(500_000), ""),
        "a list": ("[" + "a," * of(500_000), ""),
        "comments": ("#\n" * of(500_000), ""),
        "too many bytes": ("#" * of(100_000_000), ""),
    }


def write_fleet(folder: Path, text: str, table: str) -> Path:
    """Write a fleet file with its table and an empty folder of photos; return the file's path."""
    (folder / "photos").mkdir(parents=True)
    (folder / "t.csv").write_text(table, "utf-8")
    file = folder / "fleet.yaml"
    file.write_text(text, "utf-8")
    return file
