"""Give the pictures of a folder a palette, and refuse those that are still too big: shrink_pictures.py FOLDER.

Run inside the bench, which has Pillow.
"""

import sys
from pathlib import Path

from PIL import Image

# Bytes of a picture in the repository.
LIMIT = 150_000

for path in sorted(Path(sys.argv[1]).glob("*.png")):
	with Image.open(path) as picture:
		few_colours = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
	few_colours.save(path, optimize=True)
	size = path.stat().st_size
	print(f"  {path.name}, {size // 1000} kB")
	if size > LIMIT:
		sys.exit(f"{path} has {size} bytes, more than {LIMIT}.")
