"""One purchase renews one thing, what ends first has the first choice, and what was bought together renews nothing."""

import unittest
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_automation.goals.pairing import Held, Purchase, default_window, paired, renews

DAY = date(2024, 2, 29)


def day(number: int) -> date:
	return DAY + timedelta(days=number)


held = st.lists(
	st.builds(
		Held,
		st.integers(10, 40),
		st.one_of(st.none(), st.integers(-60, 40).map(day)),
		st.integers(-20, 60).map(day),
		st.integers(0, 40),
		st.one_of(st.none(), st.integers(-20, 80).map(day)),
		st.none(),
	),
	max_size=12,
	unique_by=lambda one: one.key,
)
purchases = st.lists(
	st.builds(
		Purchase,
		st.integers(10, 40),
		st.integers(-40, 60).map(day),
		st.one_of(st.none(), st.integers(-20, 120).map(day)),
		st.none(),
		st.none(),
	),
	max_size=12,
	unique_by=lambda one: one.key,
)


class TestPairing(unittest.TestCase):
	@settings(max_examples=400, deadline=None)
	@given(held, purchases)
	def test_a_purchase_renews_at_most_one_thing_and_only_what_it_can(self, held, purchases):
		found = paired(held, purchases)

		taken = [purchase.key for purchase in found.values()]
		self.assertEqual(len(taken), len(set(taken)))
		by_key = {one.key: one for one in held}
		for key, purchase in found.items():
			self.assertTrue(renews(purchase, by_key[key]))

	@settings(max_examples=400, deadline=None)
	@given(held, purchases)
	def test_nothing_stays_open_beside_a_purchase_that_is_left_over(self, held, purchases):
		found = paired(held, purchases)

		left = [one for one in purchases if one.key not in {purchase.key for purchase in found.values()}]
		for one in held:
			if one.key not in found:
				self.assertFalse([purchase for purchase in left if renews(purchase, one)])

	@settings(max_examples=400, deadline=None)
	@given(held, purchases)
	def test_who_ends_first_has_the_first_choice(self, held, purchases):
		found = paired(held, purchases)

		for one in held:
			for later in held:
				if (later.until, later.key) > (one.until, one.key) and later.key in found:
					theirs = found[later.key]
					mine = found.get(one.key)
					# Had it been of use, and better than the own one, it would be taken.
					if renews(theirs, one):
						self.assertIsNotNone(mine)
						self.assertLessEqual(mine.on, theirs.on)

	@settings(max_examples=200, deadline=None)
	@given(held, purchases, st.randoms())
	def test_the_order_in_which_they_are_read_changes_nothing(self, held, purchases, random):
		found = paired(held, purchases)
		random.shuffle(held)
		random.shuffle(purchases)

		self.assertEqual(paired(held, purchases), found)

	@settings(max_examples=400, deadline=None)
	@given(held, purchases)
	def test_nothing_loses_its_purchase_because_the_customer_buys_more(self, held, purchases):
		for one in purchases:
			fewer = paired(held, [other for other in purchases if other is not one])
			self.assertLessEqual(fewer.keys(), paired(held, purchases).keys())

	@settings(max_examples=200, deadline=None)
	@given(st.integers(1, 12), st.integers(0, 400), st.data())
	def test_what_was_bought_together_never_renews_each_other(self, count, window, data):
		ends = data.draw(st.lists(st.integers(1, 400).map(day), min_size=count, max_size=count))
		pins = [Held(key, DAY, until, window) for key, until in enumerate(ends)]

		self.assertEqual(paired(pins, [Purchase(pin.key, DAY, pin.until) for pin in pins]), {})

	def test_a_thousand_pins_that_nothing_renews_take_no_time(self):
		pins = [Held(number, DAY, day(365), 60) for number in range(20_000)]
		purchases = [Purchase(f"n{number}", day(330), day(700)) for number in range(19_999)]

		self.assertEqual(len(paired(pins, purchases)), 19_999)


class TestDefaultWindow(unittest.TestCase):
	def test_it_is_thirty_days_more_than_the_longest_before(self):
		self.assertEqual(default_window(30, day(-365), day(0)), 60)
		self.assertEqual(default_window(0, day(-365), day(0)), 30)

	def test_it_is_at_most_half_of_what_the_pin_lasts(self):
		self.assertEqual(default_window(30, day(-31), day(0)), 15)
		self.assertEqual(default_window(400, date(2023, 2, 28), date(2024, 2, 29)), 183)

	def test_of_a_pin_whose_sale_is_not_known_it_is_the_whole(self):
		self.assertEqual(default_window(30, None, day(0)), 60)

	def test_a_pin_that_ends_before_it_was_sold_has_none(self):
		self.assertEqual(default_window(30, day(5), day(0)), 0)
