"""What forward authentication costs: nginx that asks zdemo about each request, beside the same nginx that does not."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from pathlib import Path

from benchmarks import load, stand
from benchmarks.tables import show

CONNECTIONS = 16
SECONDS = 2.0
ROUNDS = 5
TEXT = "served by nginx itself\n"
# Both as in docs/guides/proxies.md, but "ask" opens a connection for each request
CONFIG = """
daemon off; pid nginx.pid; worker_processes 1; {user}
events {{}}
http {{
    access_log off;
    client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e;
    auth_request_set $roles $upstream_http_x_auth_roles;
    upstream zdemo {{ server 127.0.0.1:{zdemo}; keepalive 16; }}
    server {{
        listen 127.0.0.1:{port};
        keepalive_requests 1000000;
        location / {{ root .; }}
        location /guarded/ {{ alias {folder}/; auth_request /ask; }}
        location /kept/ {{ alias {folder}/; auth_request /ask-kept; }}
        location = /ask {{ {ask} proxy_pass http://127.0.0.1:{zdemo}/auth/-; }}
        location = /ask-kept {{
            {ask} proxy_pass http://zdemo/auth/-; proxy_http_version 1.1; proxy_set_header Connection "";
        }}
    }}
}}
"""
ASK = 'internal; proxy_method GET; proxy_pass_request_body off; proxy_set_header Content-Length "";'
KINDS = {"its own static file": "/file", "… guarded": "/guarded/file", "… with kept connections": "/kept/file"}


def proxy() -> None:
    """Compare requests per second, and the processor time of nginx and zdemo."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    if program is None:
        print("\nnginx is not installed")
        return
    rows = []
    with (
        tempfile.TemporaryDirectory() as name,
        stand.upstream() as zitadel,
        stand.api(zitadel, "--forward-auth", "--no-page", cache_ttl=60, ready="/healthz") as zdemo,
    ):
        folder, port = Path(name), stand.free_port()
        folder.chmod(0o755)
        (folder / "file").write_text(TEXT)
        user = "user root;" if os.getuid() == 0 else ""
        places = {"zdemo": zdemo.port, "port": port, "folder": folder, "user": user, "ask": ASK}
        (folder / "conf").write_text(CONFIG.format(**places))
        with stand.serving([program, "-p", name, "-e", "stderr", "-c", "conf"], port) as nginx:
            measured: dict[str, list[tuple[float, ...]]] = {kind: [] for kind in KINDS}
            for _ in range(ROUNDS):
                for kind, path in KINDS.items():
                    before = stand.used_seconds(nginx), stand.used_seconds(zdemo)
                    asked = [load.request(path, stand.TOKEN)]
                    result = load.run(port, asked, connections=CONNECTIONS, seconds=SECONDS)
                    after = stand.used_seconds(nginx), stand.used_seconds(zdemo)
                    if set(result.statuses) != {200}:
                        raise SystemExit(f"{path} was answered {result.statuses}")
                    count = len(result.latencies)
                    used = (1e6 * (end - begin) / count for begin, end in zip(before, after, strict=True))
                    measured[kind].append((result.rate, *used, 1000 * result.quantile(0.99)))
            for kind, rounds in measured.items():
                rate, own, behind, p99 = map(statistics.median, zip(*rounds, strict=True))
                rows.append((kind, f"{rate:.0f}/s", f"{own:.0f} µs", f"{behind:.0f} µs", f"{p99:.1f} ms"))
    header = ["nginx answers", "requests", "nginx per request", "zdemo per request", "p99"]
    show(f"Forward authentication, {CONNECTIONS} connections, known token", header, rows)
