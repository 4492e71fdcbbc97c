"""From evidence to cause and fix: why a token is refused, or why ZITADEL or the API cannot be used.

``docs/architecture.md`` says how a cause is found. A new cause is one function, in its place in one table.

First rule: never a wrong single cause. Where the evidence does not decide, a finding is open and lists the candidates
and the next step.
"""
