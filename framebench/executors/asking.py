"""One question to the harness of an image: what ``python -m MODULE`` prints there, in a container or an environment."""

from __future__ import annotations

from pathlib import Path

from docker.errors import ContainerError

from framebench import images
from framebench.errors import UserError
from framebench.executors import Progress, gpu
from framebench.executors.confinement import closed_in, memory_limit
from framebench.executors.connection import connect, engine_errors
from framebench.executors.environment_python import lines_of
from framebench.executors.venv import VenvExecutor
from framebench.images import ImageRow


def ask(root: Path, executor: str, row: ImageRow, module: str, say: Progress) -> str:
    """The answer; the row's image (``docker``) or environment (``venv``) is made if it is missing.

    Raises
    ------
    UserError
        when it cannot be made, or with the harness' last words when it fails.
    """
    if executor == "docker":
        return _in_container(root, row, module, say)
    environment = VenvExecutor(root)
    environment.prepare_row(row, say)
    python = environment.interpreter(row.name)
    return "\n".join(lines_of(root, python, row.stack, module, [row.stack]))


def _in_container(root: Path, row: ImageRow, module: str, say: Progress) -> str:
    tag = images.build(root, row, say).tag
    with engine_errors():
        try:
            client = connect()
            closed = closed_in(memory_limit(client.info()["MemTotal"]))
            closed["environment"] |= {gpu.VISIBLE: ""}
            answer = client.containers.run(
                tag,
                entrypoint=["python", "-m", module],
                log_config={"type": "json-file"},  # the answer is read from there
                remove=True,
                **closed,
            )
        except ContainerError as error:
            said = bytes(error.stderr or b"").decode(errors="replace").strip().splitlines()
            last = said[-1] if said else f"exit code {error.exit_status}"
            raise UserError(f"python -m {module} failed in image {row.name}: {last}") from None
    return bytes(answer).decode()
