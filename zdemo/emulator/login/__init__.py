"""Logins of people: their sessions, the requests of applications, and the emulator's own login page."""
