"""The one exception that the command line turns into a sentence and exit code 2, and how a sentence stays one line."""


class UserError(Exception):
    """Bad input or a missing part of the machine: one sentence with file, field and mend."""


def one_line(words: str) -> str:
    """Words that may quote a stranger's file: on one line, and both ends of them where they are long."""
    words = " ".join(words.split())
    return words if len(words) <= 400 else f"{words[:200]} … {words[-199:]}"
