"""Serve one site and the assets on 127.0.0.1: serve_site.py SITE PORT [WORKERS]. Run inside the bench.

Frappe's own server listens on all interfaces and takes the site from the address. WORKERS work on the bench's queues
meanwhile. SIGTERM ends all of it. No scheduler, no realtime server.
"""

import signal
import sys
from pathlib import Path

import workers
from frappe import app
from frappe.middlewares import StaticDataMiddleware
from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.serving import run_simple


def serve(site: str, port: int, count: int) -> None:
	"""Serve until the process is told to end."""
	app._site = site
	application = SharedDataMiddleware(app.application, {"/assets": str(Path("assets").resolve())})
	application = StaticDataMiddleware(application, {"/files": str(Path.cwd())})
	with workers.working(count, Path("..") / "logs" / f"{site}-worker.log"):
		run_simple("127.0.0.1", port, application, threaded=True)


# So that what has been started is ended too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
