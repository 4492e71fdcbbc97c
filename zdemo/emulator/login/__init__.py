"""Logins of people: their sessions and browsers, and the requests of applications."""
