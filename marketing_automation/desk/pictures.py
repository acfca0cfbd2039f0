"""Pictures for mails: an uploaded file in, one that every mail program can show out."""

import io

import frappe
from frappe import _
from PIL import Image, ImageOps, UnidentifiedImageError

# Twice as wide as a mail shows it, for screens with small dots.
WIDEST, HIGHEST = 1200, 2400
MOST_PIXELS = 50_000_000
QUALITY = 85
SHOWN = {"JPEG": "jpg", "PNG": "png", "GIF": "gif"}


def for_mail(file_url: str) -> dict:
	"""Return {"file_url", "width", "height", "kb"} of a picture no wider than WIDEST, as JPEG or PNG; a GIF stays as it is.

	Makes a new public File unless the given one is fit already. Throws where it is private or no picture. 2 queries.
	"""
	name = frappe.db.get_value("File", {"file_url": file_url, "is_folder": 0}, "name")
	if not name:
		frappe.throw(_("There is no file {0}.").format(frappe.bold(frappe.utils.escape_html(file_url))))
	doc = frappe.get_doc("File", name)
	doc.check_permission("read")
	if doc.is_private:
		frappe.throw(
			_("Customers cannot open a private file. Upload the picture as a public one."),
			title=_("Picture Not Public"),
		)
	content = doc.get_content()
	content = content.encode("latin-1") if isinstance(content, str) else content
	picture = _opened(content)
	if picture.format == "GIF" or (
		picture.format in SHOWN and picture.width <= WIDEST and picture.height <= HIGHEST
	):
		return _said(doc.file_url, picture, len(content))
	kind = "PNG" if picture.mode in ("RGBA", "LA", "P") else "JPEG"
	smaller = ImageOps.exif_transpose(picture).convert("RGBA" if kind == "PNG" else "RGB")
	smaller.thumbnail((WIDEST, HIGHEST))
	out = io.BytesIO()
	smaller.save(out, kind, optimize=True, **({"quality": QUALITY} if kind == "JPEG" else {}))
	made = frappe.new_doc("File")
	stem = (doc.file_name or "picture").rsplit(".", 1)[0]
	made.update({"file_name": f"{stem}-mail.{SHOWN[kind]}", "content": out.getvalue(), "is_private": 0})
	made.insert()
	return _said(made.file_url, smaller, len(out.getvalue()))


def _opened(content: bytes):
	try:
		picture = Image.open(io.BytesIO(content))
		if picture.width * picture.height > MOST_PIXELS:
			raise Image.DecompressionBombError
		picture.load()
		return picture
	except (UnidentifiedImageError, OSError, Image.DecompressionBombError, ValueError):
		frappe.throw(
			_("This is no picture that mails can show, or it is too large. Use PNG, JPEG or GIF."),
			title=_("No Picture"),
		)


def _said(file_url: str, picture, size: int) -> dict:
	return {"file_url": file_url, "width": picture.width, "height": picture.height, "kb": -(-size // 1000)}
