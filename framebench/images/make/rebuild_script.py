"""Run by ``rebuild_at`` in a process of its own: build an image by the code of another commit's checkout.

``python -P rebuild_script.py CHECKOUT ROOT NAME ANSWER`` writes ``{"config_digest": ..., "tag": ...}`` to ANSWER.
"""

import json
import sys
from pathlib import Path

checkout, root, name, answer = (Path(argument) for argument in sys.argv[1:])
sys.path.insert(0, str(checkout))

from framebench.errors import UserError  # noqa: E402
from framebench.images import build, load_matrix  # noqa: E402


def say(line: str) -> None:
    print(line, flush=True)


try:
    built = build(root, load_matrix(checkout).find(str(name)), say, source=checkout)
except UserError as error:
    sys.exit(str(error))
answer.write_text(json.dumps({"config_digest": built.config_digest, "tag": built.tag}))
