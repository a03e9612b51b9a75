"""The web: plain pages for everyone, from the same records as everything else.

Knows pages, their twins in JSON, pictures and how values read. Does not know how any record
was made, and decides nothing. Writes a static site: no script, nothing from other hosts.

>>> from otium.web.text import relative
>>> relative("models/smol/report/index.html", "otium.css")
'../../../otium.css'
"""

from otium.web.figures import assessed
from otium.web.site import Listed, Site, assessment_page, build_site, serve_site, site_server

__all__ = [
    "Listed",
    "Site",
    "assessed",
    "assessment_page",
    "build_site",
    "serve_site",
    "site_server",
]
