"""One file that carries a campaign to a machine where nothing can be installed, and the archive that comes back."""
