"""The cases: data, in the order in which they are shown."""

from zdemo.verify.case import Case
from zdemo.verify.cases import answers, correct, polite, robust, safe, secrecy

_MODULES = (safe, answers, secrecy, correct, robust, polite)
CASES: tuple[Case, ...] = tuple(case for module in _MODULES for case in module.CASES)
