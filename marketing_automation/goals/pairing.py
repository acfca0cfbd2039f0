"""Which purchase renews what: what a customer has and has bought in, pairs out. Pure, no database."""

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable
from datetime import date, timedelta
from typing import NamedTuple

# Besides the longest Before of its campaign, this many days before its end a purchase counts for what ends.
WINDOW_BEYOND = 30


class Held(NamedTuple):
	"""What a customer has, and may have renewed.

	since: the day of its own purchase, None where nobody knows it. until: its end. window: how many days before that a
	purchase may have been made. latest: the last day on which one may have been; None: any day.
	"""

	key: Hashable
	since: date | None
	until: date
	window: int
	latest: date | None = None
	kind: Hashable = None


class Purchase(NamedTuple):
	"""What a customer has bought: the day, its end (None: it has none), and the document that shows it."""

	key: Hashable
	on: date
	until: date | None
	document: Hashable = None
	kind: Hashable = None


def default_window(longest_before: int, since: date | None, until: date) -> int:
	"""Return how many days before the end a purchase counts where the campaign does not say it.

	>>> default_window(30, date(2024, 1, 1), date(2024, 12, 31))
	60
	>>> default_window(30, date(2024, 1, 1), date(2024, 1, 31))
	15
	"""
	window = longest_before + WINDOW_BEYOND
	return max(0, min(window, (until - since).days // 2) if since else window)


def renews(purchase: Purchase, held: Held) -> bool:
	"""Say whether a purchase can renew this."""
	return (
		purchase.key != held.key
		and (held.since is None or purchase.on > held.since)
		and (purchase.until is None or purchase.until > held.until)
		and (held.until - purchase.on).days <= held.window
		and (held.latest is None or purchase.on <= held.latest)
	)


def paired(
	held: Iterable[Held],
	purchases: Iterable[Purchase],
	same_kind: Callable[[Hashable, Hashable], bool] | None = None,
) -> dict[Hashable, Purchase]:
	"""Return {key of what is held: the purchase that renews it}: each purchase renews one thing.

	What ends first chooses first, and takes the purchase that was made first of those that are left. So nothing loses
	its purchase because the customer has bought more. same_kind: says of two kinds whether one renews the other.
	"""
	order = sorted(purchases, key=lambda p: (p.on, p.until or date.max, str(p.document), str(p.key)))
	days = [purchase.on for purchase in order]
	# Where to look next from each place, so that what is taken is passed over at once.
	free = list(range(len(order) + 1))

	def next_free(place: int) -> int:
		path = []
		while free[place] != place:
			path.append(place)
			place = free[place]
		for passed in path:
			free[passed] = place
		return place

	found = {}
	for one in sorted(held, key=lambda h: (h.until, str(h.key))):
		earliest = _shifted_back(one.until, one.window)
		place = next_free(bisect_left(days, earliest))
		while place < len(order):
			purchase = order[place]
			if one.latest and purchase.on > one.latest:
				break
			if renews(purchase, one) and (not same_kind or same_kind(one.kind, purchase.kind)):
				found[one.key] = purchase
				free[place] = place + 1
				break
			place = next_free(place + 1)
	return found


def _shifted_back(day: date, days: int) -> date:
	try:
		return day - timedelta(days=days)
	except OverflowError:
		return date.min
