"""A fake asker for rules: it has the replies to some probes, and remembers which were sent together."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zdemo.diagnosis.evidence import NOTHING, Evidence, Probe
from zdemo.errors import ConnectionFailed
from zdemo.errors.response import Response

Known = Mapping[Probe, Response | ConnectionFailed | Mapping[str, Any]]  # a mapping: fields of the evidence


class Asker:
    """Only the probes in ``known`` can be sent; if it is empty, all can, and none is answered."""

    def __init__(self, known: Known, evidence: Evidence = NOTHING) -> None:
        self.known, self.evidence, self.rounds = known, evidence, list[set[Probe]]()
        self.requests = set(known or Probe)

    def ask(self, *probes: Probe) -> Evidence:
        self.rounds.append(set(probes))
        self.requests -= set(probes)
        for probe, reply in ((probe, self.known[probe]) for probe in probes if probe in self.known):
            fields = reply if isinstance(reply, Mapping) else {"replies": {**self.evidence.replies, probe: reply}}
            self.evidence = replace(self.evidence, **fields)
        return self.evidence
