"""A plot of how long things take as they grow: points in, SVG out. Both axes are logarithmic."""

import math

WIDTH, HEIGHT, MARGIN = 420, 300, 55
PANELS = (
	("Plan, 1,000 due: seconds by rows of Serial No", (("table", "plan", "#2490ef"),)),
	("A night: seconds by messages due", (("plan", "plan", "#2490ef"), ("claim", "claim", "#e86c13"))),
)


def plot(curves: dict[str, list[tuple[float, float]]]) -> str:
	"""Return the SVG of the curves {name: [(size, seconds)]}."""
	panels = [
		_panel(index, title, [(label, colour, curves[name]) for name, label, colour in of_panel])
		for index, (title, of_panel) in enumerate(PANELS)
	]
	return (
		f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * len(panels)} {HEIGHT}" '
		'font-family="sans-serif" font-size="11">\n'
		'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(panels) + "\n</svg>\n"
	)


def _panel(index: int, title: str, series: list) -> str:
	sizes = [size for _label, _colour, points in series for size, _seconds in points]
	seconds = [taken for _label, _colour, points in series for _size, taken in points]
	left, right = _decades(sizes)
	bottom, top = _decades(seconds)
	x0 = index * WIDTH + MARGIN

	def x(size):
		return x0 + (math.log10(size) - left) / (right - left) * (WIDTH - MARGIN - 25)

	def y(taken):
		return HEIGHT - 40 - (math.log10(taken) - bottom) / (top - bottom) * (HEIGHT - 90)

	parts = [f'<text x="{x0}" y="20" font-size="13">{title}</text>']
	for power in range(left, right + 1):
		at = x(10**power)
		parts.append(
			f'<line x1="{at:.0f}" x2="{at:.0f}" y1="{y(10**top):.0f}" y2="{y(10**bottom):.0f}" stroke="#ddd"/>'
		)
		parts.append(f'<text x="{at:.0f}" y="{HEIGHT - 22}" text-anchor="middle">{10**power:,}</text>')
	for power in range(bottom, top + 1):
		at = y(10**power)
		parts.append(
			f'<line x1="{x(10**left):.0f}" x2="{x(10**right):.0f}" y1="{at:.0f}" y2="{at:.0f}" stroke="#ddd"/>'
		)
		parts.append(f'<text x="{x0 - 6}" y="{at + 4:.0f}" text-anchor="end">{10.0**power:g}</text>')
	for number, (label, colour, points) in enumerate(series):
		line = " ".join(f"{x(size):.1f},{y(taken):.1f}" for size, taken in points)
		parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
		parts += [
			f'<circle cx="{x(size):.1f}" cy="{y(taken):.1f}" r="3" fill="{colour}"/>'
			for size, taken in points
		]
		parts.append(f'<text x="{x0 + 10}" y="{48 + 14 * number}" fill="{colour}">{label}</text>')
	return "\n".join(parts)


def _decades(values: list[float]) -> tuple[int, int]:
	low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
	return low, max(high, low + 1)
