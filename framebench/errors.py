"""The one exception that the command line turns into a sentence and exit code 2, and how a sentence stays one line."""


class UserError(Exception):
    """Bad input or a missing part of the machine: one sentence with file, field and mend."""


def one_line(words: str) -> str:
    """Words that may quote a stranger's file: on one line, and both ends of them where they are long."""
    words = " ".join(words.split())
    return words if len(words) <= 400 else f"{words[:200]} … {words[-199:]}"


def quoted(value: str) -> str:
    """A value of a stranger's file in quotes: its beginning where it is long."""
    return repr(value if len(value) <= 120 else f"{value[:100]} …")
