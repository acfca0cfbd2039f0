"""This site behind a real web server on loopback, for as long as a block runs, and a plain client that asks it."""

import contextlib
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPMessage
from typing import NamedTuple

import frappe
from frappe import app
from werkzeug.serving import make_server


class Answer(NamedTuple):
	status: int
	headers: HTTPMessage
	text: str


@contextlib.contextmanager
def served() -> Iterator[str]:
	"""Serve the site of the test; yields its address (http://127.0.0.1:port). What is committed is seen by both."""
	site, path = app._site, app._sites_path
	app._site, app._sites_path = frappe.local.site, frappe.local.sites_path
	server = make_server("127.0.0.1", 0, app.application, threaded=True)
	thread = threading.Thread(target=server.serve_forever, daemon=True)
	thread.start()
	try:
		yield f"http://127.0.0.1:{server.server_port}"
	finally:
		server.shutdown()
		thread.join()
		server.server_close()
		app._site, app._sites_path = site, path


class _NoRedirect(urllib.request.HTTPRedirectHandler):
	def redirect_request(self, *_args):
		return None


# No cookies, no redirects: as a mailbox provider's own client.
PLAIN = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


def ask(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
	"""Send one request and return the answer; fails with what the server says where it fails. headers: with _ in the place of -."""
	request = urllib.request.Request(url, body, method=method)
	for name, value in headers.items():
		request.add_header(name.replace("_", "-"), value)
	try:
		response = PLAIN.open(request, timeout=60)
	except urllib.error.HTTPError as error:
		response = error
	with response:
		answer = Answer(response.status, response.headers, response.read().decode("utf-8", "replace"))
	if answer.status >= 500:
		raise AssertionError(
			f"{method} {url}: {answer.status}\n{answer.text.partition('Traceback')[2][:5000]}"
		)
	return answer
