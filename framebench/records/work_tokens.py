"""Which harness files decide what a contender does in a workload, and what of them counts.

The model, the driver and the stack with everything of the harness that they import, and the code that steps the
clock; where several devices share a step, what shares it too. Of a file its tokens count: no comments, no docstrings,
no layout. So a trial's work is the same until a name, a number or a rule in one of these files changes; telemetry,
other workloads and other frameworks may change freely.
"""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from harness import frameworks, workloads
from harness.frameworks.exported import source_of
from harness.frameworks.library import base_of

CLOCK = ("protocol.py", "trials/timing.py")  # without what they import: flags and telemetry decide no work
COMPILED = (".cpp", ".h")
SHARED = "data_parallel.py"
SCHEMA = ("record.py",)  # says what is written down, not what is done
_LAYOUT = (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER)
_FSTRING_START = getattr(tokenize, "FSTRING_START", None)  # Python 3.12 and later take f-strings apart


@cache
def work_hash(source: Path, stack: str, workload: str, preset: str, devices: int = 1) -> str:
    """SHA-256 over the tokens of those files and the preset's config; ``source`` holds ``harness/``."""
    digest = hashlib.sha256()
    for name in files(source, stack, workload, devices):
        digest.update(f"{name} {_code_sha256(source / 'harness' / name)}\n".encode())
    specification = workloads.get(workload)
    digest.update(specification.config_sha256(specification.presets[preset]).encode())
    return digest.hexdigest()


@cache
def gate_hash(source: Path, workload: str) -> str:
    """SHA-256 over the gate's code and the workload's stored reference: a gate that was mended is passed again."""
    digest = hashlib.sha256()
    for path in sorted((source / "harness" / "gate").glob("*.py")):
        digest.update(f"{path.name} {tokens_sha256(path.read_text())}\n".encode())
    stored = source / "harness" / "workloads" / workload / "reference.json"
    digest.update(stored.read_bytes() if stored.exists() else b"")
    return digest.hexdigest()


def files(source: Path, stack: str, workload: str, devices: int = 1) -> list[str]:
    """Their names below ``harness/``, sorted. A file that is not there (a workload without this framework) is
    left out."""
    info = frameworks.info(stack)
    written = source_of(info)
    steps = base_of(info).framework  # of a library's model
    served = [name for name in (info.framework, written.framework, written.backend, steps) if name]
    roots = [f"frameworks/{name}/{part}.py" for name in served for part in ("__init__", "stack")]
    roots += [f"frameworks/{name}/driver.py" for name in (info.framework, written.framework, steps)]
    roots += [f"workloads/{workload}/spec.py", f"workloads/{workload}/{written.framework}.py"]
    roots.append(f"frameworks/{info.framework}/from_{written.framework}.py")  # an exporter
    if devices > 1:
        roots += [SHARED, f"frameworks/{info.framework}/{SHARED}"]
    found: set[str] = set(CLOCK)
    waiting = [name for name in roots if (source / "harness" / name).is_file()]
    while waiting:
        name = waiting.pop()
        if name in found or name in SCHEMA or _of_another(name, served):
            continue
        found.add(name)
        waiting += _imports(source / "harness", name)
    folder = source / "harness" / "frameworks" / info.framework
    compiled = [path for path in folder.glob("*") if path.suffix in COMPILED]
    return sorted(found | {f"frameworks/{info.framework}/{path.name}" for path in compiled})


def _of_another(name: str, served: list[str]) -> bool:
    """Whether a file belongs to a framework that the stack does not stand on."""
    parts = name.split("/")
    return parts[0] == "frameworks" and len(parts) == 3 and parts[1] not in served


def _imports(harness: Path, name: str) -> Iterator[str]:
    """Harness files that a file imports, wherever in it."""
    for node in ast.walk(ast.parse((harness / name).read_text())):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for module in modules:
            if module.startswith("harness."):
                path = module.removeprefix("harness.").replace(".", "/")
                yield from (one for one in (f"{path}.py", f"{path}/__init__.py") if (harness / one).is_file())


def _code_sha256(path: Path) -> str:
    """Of C++ every byte counts."""
    text = path.read_text()
    return tokens_sha256(text) if path.suffix == ".py" else hashlib.sha256(text.encode()).hexdigest()


@cache
def tokens_sha256(text: str) -> str:
    """SHA-256 over a file's tokens."""
    return hashlib.sha256("\0".join(_tokens(text)).encode()).hexdigest()


def _tokens(text: str) -> Iterator[str]:
    """Token by token; an f-string is one, as it stands in the source, whatever Python reads it."""
    lines = text.splitlines(keepends=True)
    stream = [one for one in tokenize.generate_tokens(io.StringIO(text).readline) if one.type not in _LAYOUT]
    position = 0
    fresh = True  # at the start of a statement
    while position < len(stream):
        token = stream[position]
        string, last = token.string, position
        if token.type == _FSTRING_START:
            depth = 0
            for last in range(position, len(stream)):
                depth += {_FSTRING_START: 1, getattr(tokenize, "FSTRING_END", None): -1}.get(
                    stream[last].type, 0
                )
                if depth == 0:
                    break
            string = _between(lines, token.start, stream[last].end)
        alone = last + 1 >= len(stream) or stream[last + 1].type == tokenize.NEWLINE
        if token.type == tokenize.STRING and fresh and alone:
            position = last + 2  # a docstring, and the end of its line
            continue
        if token.type in (tokenize.INDENT, tokenize.DEDENT, tokenize.NEWLINE):
            yield tokenize.tok_name[token.type]
            fresh = True
        else:
            yield string
            fresh = False
        position = last + 1


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """The source from one (row, column) to another."""
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    inner = lines[start[0] : end[0] - 1]
    return "".join([lines[start[0] - 1][start[1] :], *inner, lines[end[0] - 1][: end[1]]])
