"""The command line: arguments only; ``commands`` has what each one does and says."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from framebench.commands.terminal import Terminal
from framebench.errors import UserError, visible

ROOT = Path(__file__).resolve().parent.parent
console = Terminal(soft_wrap=True, highlight=False, emoji=False)


class GivenPath(click.Path):
    """A path; an empty one, as of a variable that is not set, is no word for the folder that one is in."""

    def __init__(self, **options: bool) -> None:
        super().__init__(path_type=Path, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the path is empty; write . for the folder that you are in", param, ctx)
        return super().convert(value, param, ctx)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """PyTorch, TensorFlow or Keras: which one, for your work, and by how much?"""
    context.obj = debug


_builder = click.option(
    "--builder",
    type=click.Choice(["docker", "buildah"]),
    help="What runs the Dockerfile's stages.  [default: the Docker engine if it answers, else Buildah]",
)


@cli.command()
@click.argument("images", nargs=-1, metavar="[IMAGE...]")
@click.option("--all-cpu", is_flag=True, help="Every CPU image of the matrix, older versions too.")
@click.option(
    "--check",
    is_flag=True,
    help="Build twice from nothing instead and compare; exit 0 only if all are identical.",
)
@_builder
def build(images: tuple[str, ...], all_cpu: bool, check: bool, builder: Any) -> None:
    """Build container images (by default those that campaigns on the CPU measure in)."""
    from framebench.commands import build as command

    sys.exit(command.run(ROOT, images, all_cpu, check, builder, console))


@cli.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...|base [BASE]...")
def lock(images: tuple[str, ...]) -> None:
    """Resolve the locks of images anew (needs uv), or after `base` the Debian packages of these bases, or of all."""
    from framebench.commands import lock as command

    command.run(ROOT, images, console)


@cli.command()
def watch() -> None:
    """Look for newer releases of the frameworks, and propose images with them (needs uv).

    What is newer goes into containers/releases.toml. A row of containers/images.toml whose package has a newer
    release is followed by one with it, where its lock can be resolved, and containers/perf-changelog.toml says so.
    """
    from framebench.commands import watch as command

    command.run(ROOT, console)


@cli.group()
def image() -> None:
    """What is known of an image."""


@image.command(name="show")
@click.argument("name")
def show_image(name: str) -> None:
    """Show what is in an image: packages, versions, hashes, licences, size of each layer, last check."""
    from framebench.commands import image as command

    command.run(ROOT, name, console)


@cli.command()
@click.argument("images", nargs=-1, metavar="[IMAGE...]")
@click.option(
    "--registry",
    required=True,
    metavar="HOST/PREFIX",
    help="Where to, e.g. ghcr.io/me/framebench; plain HTTP only on this machine (127.0.0.1:5000/framebench).",
)
def push(images: tuple[str, ...], registry: str) -> None:
    """Push images and the Debian packages of their bases (needs skopeo), and note their addresses.

    The addresses go into containers/published.json; commit it, so that everyone can pull them by digest. By default
    the images are those that campaigns on the CPU measure in.
    """
    from framebench.commands import push as command

    command.run(ROOT, images, registry, console)


@cli.command()
@click.argument("image")
def pull(image: str) -> None:
    """Pull a published image by its digest; another image than the published one is refused."""
    from framebench.commands import pull as command

    command.run(ROOT, image, console)


@cli.command()
@click.argument("image")
@click.option(
    "--output",
    type=GivenPath(dir_okay=False),
    metavar="FILE",
    help="File to write.  [default: <name>-<start of its digest>.oci.tar]",
)
def export(image: str, output: Path | None) -> None:
    """Write an image as one file with its checksum, for machines without a network or without Docker."""
    from framebench.commands import export as command

    command.run(ROOT, image, output, console)


_suite = click.option(
    "--suite",
    default="auto",
    show_default=True,
    help="A name in suites/, the path of a suite of yours (FILE.toml), or auto.",
)
_budget = click.option(
    "--budget", default="20m", show_default=True, help="Time for measuring: 90s, 20m, 2h or none."
)
_rounds = click.option(
    "--rounds",
    type=click.IntRange(1, 20),
    metavar="N",
    help="Rounds, 1 to 20; 10 to publish. From 5 on a case that is precise enough takes no more.  "
    "[default: the suite's]",
)
_executor = click.option(
    "--executor",
    type=click.Choice(["auto", "docker", "venv", "system"]),
    default="auto",
    show_default=True,
    help="Where trials run.",
)
_case = click.option(
    "--case", "case_globs", metavar="GLOB", multiple=True, help="Only cases whose path matches (repeatable)."
)
_contender = click.option(
    "--contender",
    "contender_globs",
    metavar="GLOB",
    multiple=True,
    help="Only contenders that match (repeatable).",
)
_image = click.option(
    "--image",
    "image_names",
    metavar="IMAGE",
    multiple=True,
    help="Measure its stack in this image instead of the default one, e.g. an earlier version (repeatable).",
)
_cores = click.option(
    "--cores",
    type=click.IntRange(1),
    metavar="N",
    help="Cores of each trial.  [default: all that the machine that measures lets trials use]",
)
_gpu = click.option(
    "--gpu",
    metavar="UUID|N|all",
    help="The GPU to measure on: its UUID or the beginning of it, its number as nvidia-smi -L counts, or all, one "
    "after the other.  [default: the first]",
)
_wheel = click.option(
    "--wheel",
    "wheels",
    type=GivenPath(exists=True, dir_okay=False),
    metavar="FILE",
    multiple=True,
    help="An own build of a package, in place of the locked one in every image that has it (repeatable).",
)
_shard = click.option(
    "--shard",
    metavar="I/N",
    help="Only the I-th of N parts of the suite, whole cases each; auto/N: the part that the scheduler's number of "
    "this task says.",
)
OWN_RESULTS = ROOT / "own-results"
"""Where trials with somebody's own builds go, unless told otherwise: git ignores it."""
_results = click.option(
    "--results",
    type=GivenPath(file_okay=False),
    default=ROOT / "results",
    help="Folder of the records.  [default: results]",
)
_results_of_run = click.option(
    "--results",
    type=GivenPath(file_okay=False),
    help="Folder of the records.  [default: results, or with --wheel own-results]",
)
_results_compared = click.option(
    "--results",
    "folders",
    type=GivenPath(file_okay=False),
    multiple=True,
    help="Folders of the records (repeatable).  [default: results and own-results]",
)


@cli.command()
@_suite
@_rounds
@_budget
@_executor
@_case
@_contender
@_image
@_cores
@_gpu
@_wheel
@_shard
@_results_of_run
@click.option(
    "--shards", type=click.IntRange(1, 1000), metavar="N", help="Say what each of N shards would hold."
)
@click.option(
    "--nodes",
    type=click.IntRange(1, 100_000),
    metavar="N",
    help="Say instead what the whole suite would take on N machines, which need not be there.",
)
@click.option(
    "--gpus", metavar="NAME", help="With --nodes: the GPU of each, such as H100, for the cases on GPUs."
)
@click.option(
    "--price",
    type=(click.FloatRange(0), click.FloatRange(0)),
    metavar="LOW HIGH",
    help="With --nodes: what an hour of one GPU costs, or without --gpus an hour of a node.",
)
@click.pass_context
def plan(
    context: click.Context,
    /,
    shards: int | None,
    nodes: int | None,
    gpus: str | None,
    price: tuple[float, float] | None,
    **options: Any,
) -> None:
    """Print what would run, what is done already, and how long it would take."""
    if nodes is not None:
        from framebench.commands import plan_nodes

        said = [name for name in options | {"shards": shards} if _said(context, name)]
        request = plan_nodes.NodesRequest(nodes, gpus, price, **plan_nodes.chosen(options, said))
        plan_nodes.run(ROOT, request, console)
        return
    if gpus is not None or price is not None:
        raise UserError(
            f"{'--gpus' if gpus is not None else '--price'} goes with --nodes N: give how many machines"
        )
    if shards is not None and options["shard"] is not None:
        raise UserError(
            "--shards says what every part would hold, --shard takes one of them: give one of the two"
        )
    from framebench.commands import plan as command

    command.run(_request(options), console, shards)


def _said(context: click.Context, name: str) -> bool:
    """Whether an option stands on the command line."""
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


@cli.command()
@_suite
@_rounds
@_budget
@_executor
@_case
@_contender
@_image
@_cores
@_gpu
@_wheel
@_shard
@_results_of_run
@click.option("--force", is_flag=True, help="Run trials again that are done already.")
@click.option("--retry-failed", is_flag=True, help="Run trials again that are done and did not end well.")
def run(**options: Any) -> None:
    """Measure: rounds of interleaved trials; Ctrl-C once finishes the trial, twice stops now.

    Exit code 0 when the plan has numbers, 1 when no number came out, 130 when stopped by hand.
    """
    from framebench.commands import run as command

    sys.exit(command.run(_request(options), console))


def _parts_options(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """What `slurm` and `ci-matrix` are asked; ``what`` is one for each part."""
    options = (
        click.option("--suite", default="cpu", show_default=True, help="A file of suites/."),
        _rounds,
        _executor,
        _case,
        _contender,
        _cores,
        click.option(
            "--shards",
            type=click.IntRange(1, 1000),
            metavar="N",
            help=f"{what}.  [default: one for each case]",
        ),
    )
    return lambda command: functools.reduce(lambda done, option: option(done), reversed(options), command)


@cli.command()
@_parts_options("Tasks of the array")
@click.option(
    "--at-once",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    metavar="N",
    help="Tasks that run at a time.",
)
@click.option(
    "--fleet",
    "fleet_results",
    type=GivenPath(),
    metavar="FOLDER",
    help="Leave out the nodes that `framebench fleet FOLDER` finds slower than the others.",
)
def slurm(at_once: int, fleet_results: Path | None, **options: Any) -> None:
    """Print a campaign as a job array of Slurm: framebench slurm > job.sh && sbatch job.sh."""
    from framebench.commands import slurm as command
    from framebench.commands.parted import PartsRequest

    command.run(ROOT, PartsRequest(**options), at_once, fleet_results)


@cli.command()
@click.argument("paths", nargs=-1, type=GivenPath())
@click.option(
    "--apart",
    type=click.FloatRange(0.1, 100),
    default=2.0,
    show_default=True,
    metavar="PERCENT",
    help="By how much a node may be slower.",
)
def fleet(paths: tuple[Path, ...], apart: float) -> None:
    """Ask whether nodes of a cluster are alike, by what was measured on each.

    PATH: folders of records, results/ if none is given. Exit code 1 if a node is surely slower, 3 if it is undecided.
    """
    from framebench.commands import fleet as command

    sys.exit(command.run(paths or (ROOT / "results",), apart, console))


@cli.command(name="ci-matrix")
@click.argument("service", type=click.Choice(["github", "gitlab", "buildkite"]))
@_parts_options("Jobs")
def ci_matrix(service: Any, **options: Any) -> None:
    """Print a campaign as jobs of a CI service, each of which measures one part and keeps its records.

    For github the value of `strategy.matrix`, on one line; for gitlab a child pipeline and for buildkite a pipeline to
    upload, both in JSON, which is YAML.
    """
    from framebench.commands import ci_matrix as command
    from framebench.commands.parted import PartsRequest

    command.run(ROOT, service, PartsRequest(**options))


def _request(options: dict[str, Any]) -> Any:
    """What `plan` and `run` are asked."""
    from framebench.campaign.request import Request

    results = options.pop("results") or (OWN_RESULTS if options["wheels"] else ROOT / "results")
    return Request(ROOT, **options, results=results)


@cli.command()
@_suite
@click.option(
    "--python",
    metavar="X.Y",
    help="The Python of the machine that measures, e.g. 3.12.  [default: this one's]",
)
@click.option(
    "-o",
    "--output",
    type=GivenPath(dir_okay=False),
    default=Path("pack.pyz"),
    show_default=True,
    metavar="FILE",
    help="File to write.",
)
def pack(**options: Any) -> None:
    """Write a campaign as one file for a machine where nothing can be installed.

    There `python3 pack.pyz run` measures with that machine's Python and its frameworks, without a network, and leaves
    one archive of records.
    """
    from framebench.commands import pack as command

    command.run(ROOT, **options, console=console)


@cli.command()
@click.argument("archive", type=GivenPath(dir_okay=False))
@_results
def unpack(archive: Path, results: Path) -> None:
    """Check an archive that a pack left and store its records."""
    from framebench.commands import unpack as command

    command.run(archive, results, console)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def packed() -> None:
    """framebench in one file: measures with the Python that runs it, and leaves one archive of records."""


@packed.command(name="run")
@click.option("--suite", help="A suite, or auto.  [default: the one that the pack was made for]")
@_rounds
@_budget
@_case
@_contender
@_cores
@_gpu
@_shard
def run_packed(**options: Any) -> None:
    """Measure; the same command carries on. Ctrl-C once finishes the trial, twice stops now."""
    from framebench.commands import packed_run as command

    sys.exit(command.run(ROOT, Path(sys.argv[0]), options, console))


def _gate_options(command: Any) -> Any:
    """What `gate` and `mutate` are asked about."""
    for option in (
        click.option("--mode", help="eager or compiled.  [default: the stack's plainest]"),
        click.option("--variant", help="A variant that the stack declares.  [default: the plainest]"),
        click.option("--task", help="One task.  [default: all of the workload's]"),
        click.option("--preset", help="One of the workload's.  [default: smoke, or all if it has none]"),
        click.option("--precision", default="fp32", show_default=True, help="fp32, tf32 or bf16."),
        click.option(
            "--batch", type=click.IntRange(1), help="Batch of the timed shape.  [default: a stored one]"
        ),
    ):
        command = option(command)
    return click.argument("workload")(click.argument("stack")(command))


@cli.command()
@_gate_options
@_executor
@click.option(
    "--all", "all_rows", is_flag=True, help="Every comparison, not only what failed and the nearest."
)
def gate(**options: Any) -> None:
    """Hold one implementation against the reference: value and tolerance of each comparison; 1 if one fails."""
    from framebench.commands import gate as command

    sys.exit(command.run(ROOT, command.GateRequest(**options), console))


@cli.command()
@_gate_options
def mutate(**options: Any) -> None:
    """Plant faults in a right implementation and say what caught each; 1 if one survives."""
    from framebench.commands import mutate as command
    from framebench.commands.gate import GateRequest

    sys.exit(command.run(ROOT, GateRequest(**options, executor="venv", all_rows=False), console))


@cli.command()
@click.argument("names", metavar="[WORKLOAD]...", nargs=-1)
@click.option("--stack", "stacks", multiple=True, help="Only this stack (repeatable).")
def prove(**options: Any) -> None:
    """Put every contender through every workload's gate, plant every fault, and store what is proven; 1 if not all is.

    What is stored for the same work, gate and packages is not done again: hours the first time, and a stop costs one
    case.
    """
    from framebench.commands import prove as command

    sys.exit(command.run(ROOT, **options, console=console))


@cli.command()
@click.argument("case")
@click.option("--stack", required=True, help="The stack to profile.")
@click.option("--mode", help="eager or compiled.  [default: the stack's plainest]")
@click.option("--variant", help="A variant that the stack declares.  [default: the plainest]")
@_executor
@_wheel
def profile(**options: Any) -> None:
    """Profile a few steps of a case by the framework's own profiler: trace, compiler's output, costliest operations.

    CASE is WORKLOAD/PRESET, or a case's whole path as `plan` prints it. The files go to build/profiles/.
    """
    from framebench.commands import profile as command

    sys.exit(command.run(ROOT, command.ProfileRequest(**options), console))


@cli.group()
def new() -> None:
    """Start something new from a skeleton."""


@new.command(name="workload")
@click.argument("name")
def new_workload(name: str) -> None:
    """Write harness/workloads/NAME: a specification, a file for each framework to fill in; say what is next."""
    from framebench.commands import new as command

    command.workload(ROOT, name, console)


@cli.command()
@click.argument("workload")
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="PRESET:TASK:BATCH",
    help="A timed shape to compute (repeatable).  [default: every CPU case of the suites]",
)
def reference(workload: str, shapes: tuple[str, ...]) -> None:
    """Compute and store what float64 says about a workload, and measure the gate's tolerances."""
    from framebench.commands import reference as command

    sys.exit(command.run(ROOT, workload, shapes, console))


@cli.command()
@click.argument("images", nargs=-1, metavar="[IMAGE...]")
@click.option(
    "--check", is_flag=True, help="Write nothing; exit 1 if a stored table is not what its image says."
)
@click.option(
    "--executor",
    type=click.Choice(["auto", "docker", "venv"]),
    default="auto",
    show_default=True,
    help="Where the frameworks are asked.",
)
def defaults(images: tuple[str, ...], check: bool, executor: str) -> None:
    """Ask the frameworks for their defaults in these images, and store the tables in containers/defaults.

    By default the images are those that campaigns on the CPU measure in.
    """
    from framebench.commands import defaults as command

    sys.exit(command.run(ROOT, images, check, executor, console))


_config = click.option(
    "--config",
    type=GivenPath(dir_okay=False),
    metavar="FILE",
    help="The framebench-site.toml of a site of your own; results/ and build/ are beside it.",
)
_site_url = click.option(
    "--site-url",
    metavar="URL",
    help="Where the site will be: its sitemap, feed, badges and the page of a missing page need it.",
)


@cli.command()
@click.option(
    "--results",
    type=GivenPath(file_okay=False),
    help="Folder of the records.  [default: results]",
)
@_config
@click.option(
    "--serve",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Serve the site on this port of this machine.",
)
@_site_url
def site(results: Path | None, config: Path | None, serve: int | None, site_url: str | None) -> None:
    """Render the results into build/site."""
    from framebench.commands import site as command

    command.run(ROOT, config, results, serve, site_url, console)


@cli.command(name="publish-dry")
@_config
@_site_url
def publish_dry(config: Path | None, site_url: str | None) -> None:
    """Build what the Pages workflow uploads; exit 1 if it should not be published, with a line for each reason.

    Refused are results that are not committed, links that lead nowhere, what is no plain file, and more than 1 GB.
    """
    from framebench.commands import publish_dry as command

    sys.exit(command.run(ROOT, config, site_url, console))


@cli.command(name="new-site")
@click.argument("folder", type=GivenPath())
@click.option("--title", required=True, help="The title of the site.")
@click.option("--description", help="What it shows, in a sentence.  [default: made from the title]")
@click.option(
    "--licence",
    default="CC-BY-4.0",
    show_default=True,
    metavar="SPDX",
    help="The licence of the data, by its SPDX identifier.",
)
def new_site(folder: Path, title: str, description: str | None, licence: str) -> None:
    """Write a repository from which you publish your own results under your own title; say what is next."""
    from framebench.commands import new_site as command
    from framebench.pages.publisher import Publisher

    if description is None:
        description = f"PyTorch, TensorFlow, Keras and JAX, measured by {title}"
    publisher = Publisher(title=title, description=description, licence=licence)
    command.run(ROOT, folder, publisher, console)


@cli.command()
@click.argument("paths", nargs=-1, type=GivenPath(), metavar="[PATH...]")
@click.option(
    "--against",
    "edition",
    type=GivenPath(),
    metavar="EDITION",
    help="Ask instead whether the new records below PATH are slower than those of this folder: exit 0 if all pass, 1 "
    "if one fails, 3 if none fails and not all are decided.",
)
def check(paths: tuple[Path, ...], edition: Path | None) -> None:
    """Ask whether records are what they say; one line per doubt, exit 1 if a record is refused."""
    if edition is not None:
        from framebench.commands import against

        sys.exit(against.run(paths or (OWN_RESULTS,), edition, console))
    from framebench.commands import check as command

    sys.exit(command.run(ROOT, paths, console))


@cli.command()
@_results
@click.option(
    "--campaign",
    metavar="ID",
    help="Whose files.  [default: the newest that has files in no manifest]",
)
@click.option(
    "--key",
    type=GivenPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="Sign the manifest with this SSH key: a private one, or the public half of one in an agent.",
)
def submit(results: Path, campaign: str | None, key: Path | None) -> None:
    """Hand a campaign in: check it, write the manifest of its files' hashes, print a pull request's text.

    Exit code 0 when the manifest is written, 1 when a file is refused.
    """
    from framebench.commands import submit as command

    sys.exit(command.run(ROOT, results, campaign, key, console))


@cli.command()
@click.argument("result", required=False)
@_results
def show(result: str | None, results: Path) -> None:
    """Show one result (an id, a unique prefix of it, or a trial id), or list them all."""
    from framebench.commands import show as command

    command.run(results, result, console)


@cli.command()
@_results
def answers(results: Path) -> None:
    """Say which framework to use for which work, and by how much, as the site's home page does."""
    from framebench.commands import answers as command

    command.run(ROOT, results, console)


@cli.command()
@click.argument("a")
@click.argument("b")
@_results_compared
def compare(a: str, b: str, folders: tuple[Path, ...]) -> None:
    """Compare two results of one case: ratio, interval, verdict."""
    from framebench.commands import compare as command

    here = [folder for folder in (ROOT / "results", OWN_RESULTS) if folder.exists()]
    command.run(list(folders) or here, a, b, console)


@cli.command()
@click.argument("result")
@click.option("--rounds", type=click.IntRange(2), default=5, show_default=True, help="Rounds to measure.")
@_results
def reproduce(result: str, rounds: int, results: Path) -> None:
    """Measure a recorded result again in its very image, and say whether it holds."""
    from framebench.commands import reproduce as command

    sys.exit(command.run(ROOT, results, result, rounds, console))


@cli.command()
@click.option(
    "--full/--quick",
    default=False,
    help="The full proof (up to an hour), or the part that comes before a campaign.  [default: quick]",
)
@_results
def selftest(full: bool, results: Path) -> None:
    """Prove the machinery on this machine: A/A, planted slow-downs, observer effect, canaries."""
    from framebench.commands import selftest as command

    sys.exit(command.run(ROOT, results, "full" if full else "quick", console))


@cli.command()
@_results
def doctor(results: Path) -> None:
    """Say what this machine can and cannot measure, and why."""
    from framebench.commands import doctor as command

    sys.exit(command.run(ROOT, results, console))


@cli.command()
def prune() -> None:
    """Remove the images, volumes, environments and downloads that framebench stored."""
    from framebench.commands import prune as command

    command.run(ROOT, console)


@cli.command()
@click.argument("image")
def sbom(image: str) -> None:
    """Print the bill of materials of an image (CycloneDX 1.6, JSON)."""
    from framebench.commands import sbom as command

    command.run(ROOT, image)


@cli.command()
def publishable() -> None:
    """Print, as a JSON list, the images that may be pushed; why others may not goes to stderr."""
    from framebench.commands import publishable as command

    command.run(ROOT)


@cli.command()
def schema() -> None:
    """Print the JSON Schema of spec and record."""
    from framebench.commands import schema as command

    command.run()


def main(commands: click.Group = cli) -> None:
    """Entry point: a user's mistake is one sentence and exit code 2; a traceback only with ``--debug``."""
    from framebench.commands.stop_signals import end_in_order
    from framebench.commands.surroundings import leave_outside

    leave_outside()
    debug = "--debug" in sys.argv
    end_in_order()
    try:
        commands(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        console.print("stopped")
        sys.exit(130)
    except UserError as error:
        if debug:
            raise
        click.echo(f"framebench: {visible(str(error))}", err=True)
        sys.exit(2)
    except OSError as error:
        if debug:
            raise
        click.echo(f"framebench: {visible(_os_sentence(error))} (--debug shows where)", err=True)
        sys.exit(2)


def _os_sentence(error: OSError) -> str:
    import errno

    if error.errno == errno.ENOSPC:
        return f"no disk space left for {error.filename or 'build/'}: free some, or run framebench prune"
    mends = {
        errno.EACCES: "check its permissions",
        errno.EPERM: "check its permissions",
        errno.EISDIR: "name a file",
        errno.EROFS: "name a folder on a disk that takes files",
        errno.ELOOP: "it leads to itself: delete it",
    }
    said = f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
    return f"{said}; {mends[error.errno]}" if error.errno in mends else said


if __name__ == "__main__":
    main()
