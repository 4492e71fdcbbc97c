"""The cases: data, in the order in which they are shown."""

from zdemo.verify.case import Case
from zdemo.verify.cases import correct, memory, polite, robust, safe, secrecy

CASES: tuple[Case, ...] = (*safe.CASES, *memory.CASES, *secrecy.CASES, *correct.CASES, *robust.CASES, *polite.CASES)
