"""A stand-in for wkhtmltopdf, which prints text and nothing else: a page of HTML in, a PDF with its words out.

Not every machine has the real one, and a test should not depend on which it has.
"""

import contextlib
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from html import unescape
from io import BytesIO
from pathlib import Path
from unittest.mock import patch

PROGRAM = "wkhtmltopdf"
LINE = 100
# What is not printed, such as the buttons of the page.
OPAQUE = re.compile(
	r"<(style|script|title)\b.*?</\1>|<div class=\"[^\"]*\bprint-hide\b.*?</div>", re.DOTALL | re.IGNORECASE
)
# What a page says of itself, for a print that is to be large.
WEIGHT = re.compile(r"\bweighs (\d+) kB\b")
TAG = re.compile(r"<[^>]+>")


@contextlib.contextmanager
def installed() -> Iterator[Path]:
	"""Have Frappe find the stand-in, and no other; yields a file that has a line for each PDF that it has made."""
	with tempfile.TemporaryDirectory() as folder:
		log, program = Path(folder) / "made", Path(folder) / PROGRAM
		log.touch()
		program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "{log}" "$@"\n')
		program.chmod(program.stat().st_mode | stat.S_IXUSR)
		with patch.dict(os.environ, {"PATH": os.pathsep.join([folder, os.environ["PATH"]])}):
			yield log


def words_of(pdf: bytes) -> str:
	"""Return the text of a PDF."""
	from pypdf import PdfReader

	return " ".join(" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(pdf)).pages)


def made_of(html: str) -> bytes:
	"""Return a PDF of one page with the words of a page of HTML."""
	text = " ".join(unescape(TAG.sub(" ", OPAQUE.sub("", html))).split())
	lines = [text[start : start + LINE] for start in range(0, len(text), LINE)]
	weight = WEIGHT.search(text)
	lines += [" " * LINE] * (int(weight.group(1)) * 1024 // LINE if weight else 0)
	shown = b"".join(b"(" + _literal(line) + b") Tj T* " for line in lines)
	stream = b"BT /F1 8 Tf 10 TL 20 800 Td " + shown + b"ET"
	objects = (
		b"<< /Type /Catalog /Pages 2 0 R >>",
		b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
		b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
	)
	pdf, places = b"%PDF-1.4\n", []
	for number, content in enumerate(objects, 1):
		places.append(len(pdf))
		pdf += b"%d 0 obj\n%s\nendobj\n" % (number, content)
	table = b"".join(b"%010d 00000 n \n" % place for place in places)
	return pdf + (
		b"xref\n0 6\n0000000000 65535 f \n%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
		% (table, len(pdf))
	)


def _literal(text: str) -> bytes:
	plain = text.encode("cp1252", "replace")
	return re.sub(rb"([()\\])", rb"\\\1", plain)


if __name__ == "__main__":
	if "--version" in sys.argv:
		print("wkhtmltopdf 0.12.6")
	else:
		page = sys.stdin.buffer.read().decode()
		with open(sys.argv[1], "a") as log:
			log.write("made\n")
		sys.stdout.buffer.write(made_of(page))
		# As the real one does: without a word there, older versions of Frappe wait for ever.
		print("Done", file=sys.stderr)
