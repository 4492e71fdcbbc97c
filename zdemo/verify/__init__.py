"""Grade an API that takes bearer tokens: questions with the answers that the RFCs and ZITADEL demand.

Its modules are imported directly, so that what only reads the questions does not load the emulator.
"""
