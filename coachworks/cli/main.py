"""The `coachworks` command: its sub-commands are imported only when they are called."""

import importlib
import sys
from collections.abc import Sequence

import click

from coachworks import __version__
from coachworks.errors import CoachworksError, InvalidConfigError
from coachworks.settings import apply_quiet_settings

# section -> command -> (where it lives, one line of help)
SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Begin": {
        "demo": ("coachworks.cli.demo:demo", "Draw a showroom, train its five skills, serve them, ask about photos."),
        "init": ("coachworks.cli.init:init", "Write a commented fleet.yaml from a folder of photos."),
        "check": ("coachworks.cli.check:check", "Check the fleet file: all errors at once, each with its line."),
    },
    "Run": {
        "run": ("coachworks.cli.run:run", "Run the whole pipeline on this machine."),
        "status": ("coachworks.cli.status:status", "Show how the latest run went, skill by skill."),
        "mlflow": ("coachworks.cli.mlflow:mlflow", "Open MLflow on the fleet's tracking store."),
    },
    "Cluster": {
        "submit": ("coachworks.cli.submit:submit", "Run the whole pipeline on Kubeflow Pipelines."),
        "runs": ("coachworks.cli.runs:runs", "List the fleet's runs on the cluster."),
        "cancel": ("coachworks.cli.runs:cancel", "Cancel a run on the cluster, or remove a schedule."),
        "images": ("coachworks.cli.images:images", "Name the container images and print the commands that build them."),
        "doctor": (
            "coachworks.cli.doctor:doctor",
            "Check from here and from a pod what a run on the cluster needs.",
        ),
    },
    "Deploy": {
        "deploy": (
            "coachworks.cli.deploy:deploy",
            "Deploy the champions to Kubernetes: canary, bake, promotion, or back by itself.",
        ),
        "rollback": ("coachworks.cli.deploy:rollback", "Deploy again what was deployed before."),
        "approve": ("coachworks.cli.approve:approve", "Approve a version of a critical skill for deployment."),
        "prune": ("coachworks.cli.prune:prune", "Remove models that nothing names any more from the store."),
    },
    "Answer": {
        "predict": ("coachworks.cli.predict:predict", "Answer about photos, with the packaged models or a server."),
        "serve": ("coachworks.cli.serve:serve", "Serve the packaged models over HTTP."),
    },
    "Single steps": {
        "ingest": ("coachworks.cli.steps:ingest", "Take the sources' photos and tables into the store."),
        "split": ("coachworks.cli.steps:split", "Divide the sets into train, validation and test."),
        "validate": (
            "coachworks.cli.steps:validate",
            "Judge the photos and labels: which skills may train, and what is missing.",
        ),
        "augment": ("coachworks.cli.steps:augment", "Choose the augmentation policy and show what it does."),
        "embed": ("coachworks.cli.steps:embed", "Compute the backbone's features of photos and views."),
        "train": (
            "coachworks.cli.steps:train",
            "Train the candidates of every skill on the features and pick a winner.",
        ),
        "evaluate": (
            "coachworks.cli.steps:evaluate",
            "Judge the winner of every skill on the test photos that nothing has seen.",
        ),
        "register": ("coachworks.cli.steps:register", "Register in MLflow what passed its gates."),
        "package": ("coachworks.cli.steps:package", "Package the champions into one bento."),
        "document": (
            "coachworks.cli.steps:document",
            "Write one page per skill and one for the fleet: HTML, PDF and LaTeX.",
        ),
    },
}
COMMANDS = {name: entry for section in SECTIONS.values() for name, entry in section.items()}


class _Fleet(click.Group):
    """A group that knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 — a slip in the table above, not a user's
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean `{close[0]}`?" if close else " `coachworks --help` lists the commands."
            raise click.UsageError(f"there is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(name, summary) for name, (_, summary) in commands.items()])


@click.command(cls=_Fleet, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="coachworks")
def cli() -> None:
    """From a pile of photos to a fleet of validated, trained, documented and running image classifiers.

    \b
    Examples:
      coachworks demo                 see the whole way on photos it draws itself
      coachworks init ./photos        write fleet.yaml for your own
      coachworks run                  from photos to packaged, documented models
      coachworks predict car.jpg      ask them
    """  # noqa: D301 — \b is click's mark for "keep these lines"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; an error that coachworks raises on purpose is one message and an exit status."""
    apply_quiet_settings()
    try:
        cli.main(args=None if arguments is None else list(arguments), prog_name="coachworks")
    except InvalidConfigError as err:
        click.echo(f"error: {err}", err=True)
        sys.exit(2)
    except CoachworksError as err:
        click.echo(f"error: {err}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


if __name__ == "__main__":
    main()
