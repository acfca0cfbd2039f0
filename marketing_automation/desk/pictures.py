"""Pictures for mails: an uploaded file in, one that every mail program can show out."""

import io

import frappe
from frappe import _
from PIL import Image, ImageOps, UnidentifiedImageError

# Twice as wide as a mail shows it, for screens with small dots.
WIDEST, HIGHEST = 1200, 2400
MOST_PIXELS = 50_000_000
# What is heavier is made lighter, where that can be; an animated GIF that is, is refused.
HEAVY, MOST_OF_GIF = 300_000, 1_000_000
# Frappe writes each JPEG anew, in 75.
QUALITIES = (85, 75)
COLORS = 256
# What it saves at least, to be worth another file.
WORTH = 0.9
SHOWN = {"JPEG": "jpg", "PNG": "png", "GIF": "gif"}


def for_mail(file_url: str) -> dict:
	"""Return {"file_url", "width", "height", "kb"} of a picture no wider than WIDEST, as JPEG or PNG; an animated one stays.

	Makes a new public File unless the given one is fit already: not heavy, upright, and without what a camera notes, such as
	the place. Throws where it is private, no picture, or an animation that is too large. 2 queries.
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
	# A camera's JPEG can have more than one picture too.
	if picture.format in ("GIF", "PNG") and picture.is_animated:
		return _animated(doc.file_url, picture, len(content))
	fits = picture.format in SHOWN and picture.width <= WIDEST and picture.height <= HIGHEST
	tells = _tells(picture)
	if fits and not tells and len(content) <= HEAVY:
		return _said(doc.file_url, picture, len(content))
	smaller, kind, lighter = _lighter(picture)
	if fits and not tells and len(lighter) > WORTH * len(content):
		return _said(doc.file_url, picture, len(content))
	made = frappe.new_doc("File")
	stem = (doc.file_name or "picture").rsplit(".", 1)[0]
	made.update({"file_name": f"{stem}-mail.{SHOWN[kind]}", "content": lighter, "is_private": 0})
	made.insert()
	return _said(made.file_url, smaller, made.file_size)


def _animated(file_url: str, picture, size: int) -> dict:
	"""Return what is said of an animation: made smaller it would be none, or a heavier one."""
	if size > MOST_OF_GIF or picture.width > WIDEST or picture.height > HIGHEST:
		frappe.throw(
			_(
				"This animation has {0} kB and is {1} points wide. For mails it may have {2} kB and be {3} wide. Make it smaller, or use a picture that stands still."
			).format(-(-size // 1000), picture.width, MOST_OF_GIF // 1000, WIDEST),
			title=_("Animation Too Large"),
		)
	return _said(file_url, picture, size)


def _tells(picture) -> bool:
	"""Say whether a picture has what a camera or a program notes: how it was held, the place, the person."""
	return bool(picture.getexif()) or any(
		name in ("APP1", "APP13") and notes for name, notes in getattr(picture, "applist", ())
	)


def _lighter(picture) -> tuple[Image.Image, str, bytes]:
	"""Return a picture upright, no larger than mails show it and without a camera's notes: (it, its format, its bytes)."""
	upright = ImageOps.exif_transpose(picture)
	is_clear = "transparency" in upright.info or upright.mode in ("RGBA", "LA", "PA")
	clear = upright.convert("RGBA") if is_clear else None
	if clear and clear.getchannel("A").getextrema()[0] == 255:
		# It only could be seen through.
		clear = None
	made = clear or upright.convert("RGB")
	made.thumbnail((WIDEST, HIGHEST))
	if picture.mode not in ("RGB", "RGBA"):
		# It is about other colours.
		made.info.pop("icc_profile", None)
	if clear or upright.mode == "P":
		written = _written(made, "PNG")
		if len(written) > HEAVY:
			# Nothing else that mails show can be seen through, so it has fewer colours.
			fewer = _written(made.quantize(COLORS, method=Image.Quantize.FASTOCTREE), "PNG")
			written = min(written, fewer, key=len)
		return made, "PNG", written
	if picture.format == "PNG" and len(written := _written(made, "PNG")) <= HEAVY:
		# Letters and lines stay sharp.
		return made, "PNG", written
	for quality in QUALITIES:
		written = _written(made, "JPEG", quality=quality, icc_profile=made.info.get("icc_profile"))
		if len(written) <= HEAVY:
			break
	return made, "JPEG", written


def _written(picture, kind: str, **how) -> bytes:
	out = io.BytesIO()
	# Some versions of Pillow would write them again.
	for notes in ("exif", "xmp"):
		picture.info.pop(notes, None)
	picture.save(out, kind, optimize=True, **how)
	return out.getvalue()


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
