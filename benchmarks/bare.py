"""The floor: a Flask app with one route that answers like /api/public, on the same server."""

from __future__ import annotations

import sys

from flask import Flask

from zdemo.serving.bus import Bus
from zdemo.serving.listening import listen
from zdemo.serving.production import serve_forever


def build(_bus: Bus | None = None) -> Flask:
    """Return the bare Flask app."""
    app = Flask(__name__, static_folder=None)

    @app.get("/api/public")
    def public() -> dict[str, str]:
        return {"message": "Public route - You don't need to be authenticated to see this."}

    return app


if __name__ == "__main__":
    with listen("127.0.0.1", int(sys.argv[1])) as listener:
        serve_forever(build, listener, workers=1, threads=int(sys.argv[2]))
