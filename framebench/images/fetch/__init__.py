"""What images are made of, from indexes, mirrors and registries into the store: wheels, Debian packages, locks."""
