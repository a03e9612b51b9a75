"""Reviewing: exits at a desk and in a shell: endings, appeals, reviews, rates, policies.

Knows the words of ``otium exit`` and the local page on which reviewers decide. Does not know how
an exit is read, or what an ending rests on: it shows records and asks for decisions. Writes
nothing of its own; what reviewers decide goes to `otium.appeals`.

>>> from otium.appeals import Appeals
>>> from otium.closure import Closings
>>> url = f"sqlite:///{tmp_path / 'state.sqlite'}"
>>> desk = ReviewDesk(Appeals(url, Closings(url)), "reviewer-1")
>>> desk.waiting()
[]
"""

from otium.reviewing.desk import ReviewDesk, serve_reviews

__all__ = ["ReviewDesk", "serve_reviews"]
