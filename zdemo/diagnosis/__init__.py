"""From evidence to cause and fix: why a token is refused, or why ZITADEL or the API cannot be used.

How a cause comes about: ``ask/investigate.py`` asks ZITADEL about a token, and makes a case of the answer
(``evidence.py``). ``decide`` in ``rules/rule.py`` goes through the tables for such an answer, which stand at the ends
of the files in ``rules/``. A rule is a pure function that reads a case, and returns a ``Finding`` or ``None``;
``@rule`` names the probes that it reads, and ``ask/facts.py`` sends these just before it judges. The first finding
counts. ``view.py`` has its words. A new cause is one function, in its place in one table.

First rule: never a wrong single cause. Where the evidence does not decide, a finding is open and lists the candidates
and the next step.
"""
