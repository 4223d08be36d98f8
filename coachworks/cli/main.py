"""The `coachworks` command. Each sub-command is imported only when it is called."""

import importlib
import io
import sys
from collections.abc import Sequence

import click

from coachworks import __version__
from coachworks.errors import CoachworksError
from coachworks.settings import apply_quiet_settings
from coachworks.steps import CHAIN
from coachworks.storage_failures import storage_failure
from coachworks.visible_text import visible
from coachworks.wording import did_you_mean

# Section -> command -> its line in `coachworks --help`, "" where the command is a step, whose declaration has the line.
# A command is the function of its name in the module `coachworks.cli.<name>`.
SECTIONS = {
    "Begin": {
        "demo": "Draw a showroom, train its five skills, serve them, ask about photos.",
        "init": "Write a commented fleet.yaml for a folder of photos.",
        "probe": "Compare backbones on the fleet's own photos.",
        "check": "Check the fleet file: all errors at once, each with its line.",
    },
    "Run": {
        "run": "Run the whole pipeline on this machine.",
        "status": "Show the result of the latest run, skill by skill.",
        "show": "Open the documents and pages of a run in the browser.",
        "mlflow": "Open MLflow on the fleet's tracking store.",
    },
    "Cluster": {
        "submit": "Run the whole pipeline on Kubeflow Pipelines.",
        "runs": "List the fleet's runs on the cluster.",
        "cancel": "Cancel a run on the cluster, or remove a schedule.",
        "images": "Print a script that builds the container images, or their names.",
        "doctor": "Check from here and from a pod what a run on the cluster needs.",
    },
    "Deploy": {
        "deploy": "",
        "rollback": "Deploy an earlier release again.",
        "approve": "Approve a version of a critical skill for deployment.",
        "prune": "Remove unused models from the store.",
        "store": "Verify the store, and remove what is damaged.",
    },
    "Answer": {
        "predict": "Classify photos with the packaged models or a server.",
        "serve": "Serve the packaged models over HTTP.",
    },
}
_STEPS = "Single steps"  # those without a section above
_MODULES = {"cancel": "runs", "rollback": "deploy"}  # commands that share the module of another
_LINES = {name: line for commands in SECTIONS.values() for name, line in commands.items()}


def sections() -> dict[str, dict[str, str]]:
    """Return the commands by section, each with its line of help."""
    import components
    from coachworks.steps import discover

    steps = {step.name: step.summary for step in discover(components)}
    named = {
        section: {name: line or steps[name] for name, line in commands.items()}
        for section, commands in SECTIONS.items()
    }
    return {**named, _STEPS: {name: summary for name, summary in steps.items() if name not in _LINES}}


class _Fleet(click.Group):
    """A group that imports a command when it is called, so that `coachworks --help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_LINES, *(step for step in CHAIN if step not in _LINES)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = _MODULES.get(cmd_name, cmd_name) if cmd_name in _LINES else "steps"
        command = getattr(importlib.import_module(f"coachworks.cli.{module}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 — a slip in the tables above, not a user's
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            hint = did_you_mean(args[0], known) or " `coachworks --help` lists the commands."
            raise click.UsageError(f"there is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section, commands in sections().items():
            with formatter.section(section):
                formatter.write_dl(list(commands.items()))


@click.command(cls=_Fleet, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="coachworks")
def cli() -> None:
    """From a pile of photos to a fleet of validated, trained, documented and running image classifiers.

    \b
    Examples:
      coachworks demo                 try everything on photos that it draws itself
      coachworks init ./photos        write fleet.yaml for your own photos
      coachworks run                  train, package and document the models
      coachworks predict car.jpg      classify a photo with them
    """  # noqa: D301 — \b is click's mark for "keep these lines"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; an error of coachworks becomes one message and an exit status, without a traceback."""
    apply_quiet_settings()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal or log that is not UTF-8 gets escapes, not a traceback
            stream.reconfigure(errors="backslashreplace")
    try:
        cli.main(args=None if arguments is None else list(arguments), prog_name="coachworks")
    except CoachworksError as err:
        click.echo(f"error: {visible(str(err))}", err=True)
        sys.exit(err.exit_status)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception as err:
        failure = storage_failure(err)
        if failure is None:
            raise
        click.echo(f"error: {visible(str(failure))}", err=True)
        sys.exit(failure.exit_status)


if __name__ == "__main__":
    main()
