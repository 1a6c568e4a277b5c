"""One file per command of the command line. They print; nothing else does."""
