"""The one exception that the command line turns into a sentence and exit code 2."""


class UserError(Exception):
    """Bad input or a missing part of the machine: one sentence with file, field and mend."""
