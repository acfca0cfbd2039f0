"""Put the four pictures of each design into one: gallery_pictures.py PICTURES FOLDER. Spanish ones into FOLDER/es.

Run inside the bench, which has Pillow. A computer and a phone in light, and both in dark.
"""

import sys
from pathlib import Path

from PIL import Image

# Of what stands round the pictures, and between them.
GROUND, GAP, LIMIT = (203, 210, 215), 16, 150_000
ORDER = [(width, scheme) for scheme in ("light", "dark") for width in (640, 390)]

pictures, folder = Path(sys.argv[1]), Path(sys.argv[2])
for mail in sorted(pictures.glob("*.html")):
	name, language = mail.stem.split(".")
	parts = [Image.open(pictures / f"{name}.{language}.{width}.{scheme}.png") for width, scheme in ORDER]
	size = (
		sum(part.width for part in parts) + GAP * (len(parts) + 1),
		max(part.height for part in parts) + 2 * GAP,
	)
	whole, left = Image.new("RGB", size, GROUND), GAP
	for part in parts:
		whole.paste(part.convert("RGB"), (left, GAP))
		left += part.width + GAP
	place = folder / "es" if language == "es" else folder
	place.mkdir(parents=True, exist_ok=True)
	path = place / f"{name}.png"
	whole.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
	if path.stat().st_size > LIMIT:
		sys.exit(f"{path} has {path.stat().st_size} bytes, more than {LIMIT}.")
