"""A true Frappe from PyPI. The name frappe is an empty placeholder there, but one wheel (MIT licence) is Frappe's
develop branch of August 2023 with its name replaced. It is taken by its hash, and the names are put back.
"""

import zipfile
from pathlib import Path

REQUIREMENT = (
	"criscostack==1.0.0 --hash=sha256:dc58aaf29c59b7666edc953596e5b31f77d7286b2ed6b14c6a205b217c210349\n"
)
PACKAGE = "criscostack"

# The longer names first.
NAMES = [
	("CRISCOSTACK", "FRAPPE"),
	("Criscostack", "Frappe"),
	("criscostack", "frappe"),
	("CriscoERP", "ERPNext"),
	("Criscoerp", "ERPNext"),
	("criscoerp", "erpnext"),
	("Crisco", "Frappe"),
	("brik_helper", "bench_helper"),
]


def unpack(wheel: Path, target: Path) -> None:
	"""Write the wheel's package below `target` as a package called frappe."""
	with zipfile.ZipFile(wheel) as archive:
		for entry in archive.infolist():
			top = entry.filename.split("/")[0]
			if entry.is_dir() or top != PACKAGE or entry.filename.endswith(".DS_Store"):
				continue
			path = target / renamed(entry.filename)
			path.parent.mkdir(parents=True, exist_ok=True)
			path.write_bytes(renamed_content(archive.read(entry)))


def renamed_content(content: bytes) -> bytes:
	"""Put the names back in a text; leave what is no UTF-8 text (images, fonts) as it is."""
	try:
		return renamed(content.decode()).encode()
	except UnicodeDecodeError:
		return content


def renamed(text: str) -> str:
	"""Put the names back."""
	for name, original in NAMES:
		text = text.replace(name, original)
	return text
