"""The site: a pure function from the dataset to pages, then MkDocs as the last, replaceable step."""

from framebench.pages.site import SiteReport, build_site, serve

__all__ = ["SiteReport", "build_site", "serve"]
