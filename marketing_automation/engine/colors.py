"""Colours of texts and what they stand on: how well they can be read. Colours as #rrggbb in and out. Pure.

Contrast is that of WCAG 2: from 1, which nobody can read, to 21, black on white. Texts need 4.5.
"""

import re

READABLE = 4.5
WHITE, BLACK = "#ffffff", "#000000"
HEX = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{6})(?:[0-9a-f]{2})?", re.IGNORECASE)
STEPS = 100


def as_hex(text: str | None) -> str | None:
	"""Return a colour as #rrggbb, without what is transparent of it; None for what is no colour.

	>>> as_hex("#1B4"), as_hex("1b4d5cff"), as_hex("red")
	('#11bb44', '#1b4d5c', None)
	"""
	match = HEX.fullmatch((text or "").strip())
	if not match:
		return None
	digits = match.group(1).lower()
	return "#" + ("".join(digit * 2 for digit in digits) if len(digits) == 3 else digits)


def contrast(one: str, other: str) -> float:
	"""Return the contrast of two colours, 1 to 21.

	>>> round(contrast("#ffffff", "#000000"), 1), contrast("#1b4d5c", "#1b4d5c")
	(21.0, 1.0)
	"""
	light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
	return (light + 0.05) / (dark + 0.05)


def text_on(color: str) -> str:
	"""Return white or black, whichever reads better on a colour. One of them always does: 4.58 at least.

	>>> text_on("#1b4d5c"), text_on("#ffcc00")
	('#ffffff', '#000000')
	"""
	return max((WHITE, BLACK), key=lambda text: contrast(text, color))


def readable(color: str, ground: str) -> str:
	"""Return a colour, or the next one to it that can be read on a ground: darker on a light one, else lighter.

	>>> readable("#1b4d5c", "#ffffff"), readable("#ffcc00", "#ffffff")
	('#1b4d5c', '#8f7200')
	"""
	end = text_on(ground)
	for step in range(STEPS + 1):
		mixed = _mixed(color, end, step / STEPS)
		if contrast(mixed, ground) >= READABLE:
			return mixed
	return end


def _mixed(color: str, other: str, share: float) -> str:
	pairs = zip(_parts(color), _parts(other), strict=True)
	return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in pairs)


def _luminance(color: str) -> float:
	red, green, blue = (_linear(part / 255) for part in _parts(color))
	return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
	return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _parts(color: str) -> tuple[int, int, int]:
	return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
