"""`coachworks init`: a fleet file from a folder of photos."""

from pathlib import Path

import click

from coachworks.cli.options import fleet_option


@click.command()
@click.argument("photos", type=click.Path(path_type=Path))
@fleet_option
@click.option(
    "--table",
    type=click.Path(path_type=Path),
    help="CSV or Parquet with the labels; else one in PHOTOS or beside it, else its sub-folders.",
)
@click.option("--name", help="Name of the fleet.  [default: that of the folder]")
@click.option("--store", default="./store", show_default=True, help="Folder, or s3://bucket/prefix.")
@click.option("--tracking", metavar="URL", help="Address of an MLflow server; without one it is embedded.")
@click.option(
    "--environment",
    multiple=True,
    metavar="SECRET",
    help="For a cluster: a Secret that tells pods what they need; may be repeated.",
)
@click.option("--force", is_flag=True, help="Overwrite the fleet file if there is one.")
def init(
    photos: Path,
    file: Path,
    table: Path | None,
    name: str | None,
    store: str,
    tracking: str | None,
    environment: tuple[str, ...],
    *,
    force: bool,
) -> None:
    """Write a commented fleet.yaml for the folder PHOTOS.

    The labels come from a table with a column `filename` (or `path`, or `file`) and a column per skill, in PHOTOS
    or beside it; where there is none, each sub-folder is a label.

    \b
    Examples:
      coachworks init ./photos                        write ./fleet.yaml
      coachworks init ./photos --table labels.csv     go by this table
      coachworks init ./photos -f cars/fleet.yaml     write it elsewhere
      coachworks init ./photos --store s3://bucket/cars --tracking https://mlflow.example --environment cars
    """  # noqa: D301 — \b is click's mark for "keep these lines"
    from coachworks.cli.starter import Surroundings, starter
    from coachworks.errors import InvalidConfigError
    from components.ingest.survey import survey

    if file.exists() and not force:
        raise InvalidConfigError(
            f"{file} is there already. Write another with `-f FILE`, or overwrite it with `--force`."
        )
    found = survey(photos, table=table)
    surroundings = Surroundings(name=name, store=store, tracking=tracking, environment=environment)
    text = starter(found, file.parent, surroundings)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    except OSError as err:
        raise InvalidConfigError(
            f"{file} cannot be written: {err.strerror}. Write it elsewhere with `-f FILE`."
        ) from err
    by = f"the table {found.table}" if found.table is not None else "the names of the sub-folders"
    skills = "1 skill" if len(found.skills) == 1 else f"{len(found.skills)} skills"
    click.echo(f"{file}: {skills} over {found.count:,} photos, by {by}")
    for skill in found.skills:
        fewest = min(skill.labels, key=lambda label: skill.labels[label])
        click.echo(f"  {skill.name}: {len(skill.labels)} labels, fewest photos: {skill.labels[fewest]} ({fewest})")
    for column, reason in found.left_out.items():
        click.echo(f"  column {column!r} is no skill: {reason}")
    if found.missing:
        click.echo(f"  the table names {len(found.missing)} files that are not there; first: {found.missing[0]!r}")
    option = "" if file == Path("fleet.yaml") else f" -f {file}"
    click.echo("Next: read it, then")
    click.echo(f"  coachworks check{option}   finds what is wrong with it")
    click.echo(f"  coachworks run{option}     makes the models")
