"""`coachworks init`: a fleet file from a folder of photos."""

from pathlib import Path

import click

from coachworks.cli.options import fleet_option
from coachworks.wording import counted, pipeline_command


@click.command()
@click.argument("photos", type=click.Path(path_type=Path))
@fleet_option
@click.option(
    "--table",
    type=click.Path(path_type=Path),
    help="CSV or Parquet table with the labels.  [default: the one in PHOTOS or beside it, else the sub-folders]",
)
@click.option("--follow-links", is_flag=True, help="Follow symbolic links that lead out of PHOTOS.")
@click.option("--name", help="Name of the fleet.  [default: the name of the folder]")
@click.option(
    "--store",
    default="./store",
    show_default=True,
    help="Folder or s3://bucket/prefix for all results.",
)
@click.option("--tracking", metavar="URL", help="Address of an MLflow server.  [default: embedded in the store]")
@click.option(
    "--environment",
    multiple=True,
    metavar="SECRET",
    help="On a cluster: Secret with the environment variables of the pods; may be repeated.",
)
@click.option("--image", help="On a cluster: image of the pods, as `coachworks images --tag steps` prints it.")
@click.option("--force", is_flag=True, help="Overwrite an existing fleet file.")
def init(
    photos: Path,
    file: Path,
    table: Path | None,
    name: str | None,
    store: str,
    tracking: str | None,
    environment: tuple[str, ...],
    image: str | None,
    *,
    follow_links: bool,
    force: bool,
) -> None:
    """Write a commented fleet.yaml for the folder PHOTOS.

    The labels come from a table in PHOTOS or beside it, with a column `filename` (or `path`, or `file`) and one
    column per skill. Without a table, each sub-folder is a label.

    \b
    Examples:
      coachworks init ./photos                        write ./fleet.yaml
      coachworks init ./photos --table labels.csv     take the labels from this table
      coachworks init ./photos -f cars/fleet.yaml     write this file
      coachworks init ./photos --store s3://bucket/cars --tracking https://mlflow.example --environment cars
    """  # noqa: D301 — \b is click's mark for "keep these lines"
    from coachworks.cli.starter import InitOptions, starter
    from coachworks.errors import InvalidConfigError
    from components.ingest.survey import survey

    if file.exists() and not force:
        raise InvalidConfigError(
            f"{file} exists already. Write another file with `-f FILE`, or overwrite it with `--force`."
        )
    result = survey(photos, table=table, follow_links=follow_links)
    options = InitOptions(name=name, store=store, tracking=tracking, environment=environment, image=image)
    text = starter(result, file.parent, options)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    except OSError as err:
        raise InvalidConfigError(
            f"{file} cannot be written: {err.strerror}. Write it elsewhere with `-f FILE`."
        ) from err
    by = f"the table {result.table}" if result.table is not None else "the names of the sub-folders"
    click.echo(f"{file}: {counted(len(result.skills), 'skill')} over {counted(result.count, 'photo')}, by {by}")
    for skill in result.skills:
        fewest = min(skill.labels, key=lambda label: skill.labels[label])
        click.echo(f"  {skill.name}: {len(skill.labels)} labels, fewest photos: {skill.labels[fewest]} ({fewest})")
    for column, reason in result.left_out.items():
        click.echo(f"  column {column!r} is no skill: {reason}")
    if result.missing:
        click.echo(f"  the table names {counted(len(result.missing), 'missing file')}; first: {result.missing[0]!r}")
    if result.links_out:
        links = counted(result.links_out, "symbolic link")
        click.echo(f"  not followed: {links} out of the folder. `--follow-links` follows them.")
    option = "" if file == Path("fleet.yaml") else f" -f {file}"
    click.echo("Next: read it, then")
    click.echo(f"  coachworks check{option}   lists every problem of the file")
    command = pipeline_command(store).strip("`") + option
    click.echo(f"  {command:<{len(option) + 18}} trains the models")
