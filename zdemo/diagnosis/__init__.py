"""From evidence to cause and fix: why a token is refused, or why ZITADEL or the API cannot be used. Pure.

First rule: never a wrong single cause. Where the evidence does not decide, a finding is open and lists the candidates
and the next step. ``zdemo.diagnosis.ask`` gathers the evidence; call, introspect and doctor show the findings.
"""
