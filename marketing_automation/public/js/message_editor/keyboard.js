// Where the keyboard is, while what it is in is drawn anew.

const FIELDS = "input, textarea, select, button, summary";

// What an element is called: it looks different once it is drawn anew, but it is called the same.
const called = (element) =>
	[
		element.localName,
		element.dataset.key,
		element.dataset.language,
		element.dataset.tab,
		element.dataset.tab ? "" : element.getAttribute("aria-label") || element.labels?.[0]?.textContent,
		// What a block says is no name of it, and neither is what stands in a list.
		element.matches("select, summary, [data-open], [data-tab]") ? "" : element.textContent,
	].join("|");

// The part of the editor in which an element stands: a block, or the bar and the head.
const part_of = (element) => element.closest("li[data-block]");
const is_of = (part) => (element) => part_of(element)?.dataset.block === part;

// Call draw() and have the keyboard on what stands where it was, the cursor at the same letter.
export function hold_keyboard(place, draw) {
	const now = document.activeElement;
	if (!now || !place[0].contains(now) || !now.matches(FIELDS)) return draw();
	const part = part_of(now)?.dataset.block;
	const name = called(now);
	const alike = () =>
		[...place[0].querySelectorAll(FIELDS)].filter(is_of(part)).filter((it) => called(it) === name);
	const index = alike().indexOf(now);
	const is_text = now.matches("textarea, input[type=text]");
	const { selectionStart: start, selectionEnd: end } = is_text ? now : {};
	draw();
	// Another one has it by now, or what had it was not drawn anew.
	if (document.activeElement !== document.body && document.activeElement) return;
	const found = alike();
	const next = found[index] || found[found.length - 1];
	// Where there is nothing more to undo, its neighbour goes on.
	const target = next?.disabled ? next.parentElement.querySelector("button:enabled") : next;
	if (!target) return;
	target.focus();
	if (is_text) target.setSelectionRange(Math.min(start, target.value.length), Math.min(end, target.value.length));
}
