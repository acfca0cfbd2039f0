"""A receiver of webhooks that runs beside a test: keeps what it is told, takes each message once, answers as it is told.

It keeps to Standard Webhooks: a signature that is wrong is refused, and a key that it knows is no news.
"""

import contextlib
import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import standardwebhooks

OK = (204, {}, b"")
# Answers that are none: the connection is reset, or says what is no HTTP, or is lost when the message was taken.
RESET, GARBAGE, LOST = "reset", "garbage", "lost"


class Sink:
	"""What was received. `calls`: each call's headers and JSON; `news`: the calls of each key that was taken.

	answer: says (status, headers, body) of a call, or RESET or GARBAGE, after whatever it waits for.
	"""

	def __init__(self, secret: str):
		self.secret = secret
		self.calls: list[tuple[dict, dict]] = []
		self.news: Counter = Counter()
		self.refused: list[str] = []
		self.answer = lambda headers, body: OK
		self._lock = threading.Lock()

	def receive(self, headers: dict, body: bytes):
		key = headers["webhook-id"]
		answer = self.answer(headers, json.loads(body))
		with self._lock:
			self.calls.append((headers, json.loads(body)))
			try:
				standardwebhooks.Webhook(self.secret).verify(body, headers)
			except standardwebhooks.WebhookVerificationError:
				self.refused.append(key)
				return 401, {}, b"signature"
			if answer == LOST or (answer not in (RESET, GARBAGE) and 200 <= answer[0] < 300):
				self.news[key] += 1
		return answer


@contextlib.contextmanager
def listening(sink: Sink):
	"""Yield the URL at which the sink listens."""

	class Handler(BaseHTTPRequestHandler):
		def do_POST(self):
			body = self.rfile.read(int(self.headers["content-length"]))
			answer = sink.receive({name.lower(): value for name, value in self.headers.items()}, body)
			if answer in (RESET, LOST):
				self.connection.close()
			elif answer == GARBAGE:
				self.connection.sendall(b"\x00\xff what?\r\n\r\n")
			else:
				status, headers, text = answer
				with contextlib.suppress(OSError):
					self.send_response(status)
					for name, value in {"content-length": str(len(text)), **headers}.items():
						self.send_header(name, value)
					self.end_headers()
					self.wfile.write(text)

		def log_message(self, *_arguments):
			pass

	class Server(ThreadingHTTPServer):
		daemon_threads = True

		def handle_error(self, *_arguments):
			pass

	server = Server(("127.0.0.1", 0), Handler)
	thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
	thread.start()
	try:
		yield f"http://127.0.0.1:{server.server_address[1]}/hook"
	finally:
		server.shutdown()
		server.server_close()
		thread.join()
