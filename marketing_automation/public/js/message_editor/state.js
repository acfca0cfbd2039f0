// A design while it is edited: blocks and texts, as designs/design.py reads them, with undo. Knows nothing of the screen.

const MOST_STEPS = 200;
// What is typed into one field without a pause is one step.
const PAUSE = 1200;

export class DesignState {
	// kinds: of blocks, as the server describes them.
	constructor(data, kinds) {
		this.data = structuredClone(data);
		this.kinds = Object.fromEntries(kinds.map((kind) => [kind.type, kind]));
		this.undone = [];
		this.done = [];
		this.listeners = [];
		this.saved = this.as_json();
	}

	as_json() {
		return JSON.stringify(this.data);
	}

	is_saved() {
		return this.saved === this.as_json();
	}

	on_change(listener) {
		this.listeners.push(listener);
	}

	// Change something: `change` does it. what: a step of the same name right after another one is part of it.
	step(change, what = null) {
		const now = Date.now();
		const last = this.done[this.done.length - 1];
		const goes_on = what && last?.what === what && now - last.at < PAUSE;
		if (goes_on) last.at = now;
		else this.done.push({ before: this.as_json(), what, at: now });
		if (this.done.length > MOST_STEPS) this.done.shift();
		this.undone = [];
		change(this.data);
		this.changed(what);
	}

	undo() {
		const step = this.done.pop();
		if (!step) return false;
		this.undone.push({ ...step, after: this.as_json() });
		this.data = JSON.parse(step.before);
		this.changed();
		return true;
	}

	redo() {
		const step = this.undone.pop();
		if (!step) return false;
		this.done.push({ before: step.before, what: null, at: 0 });
		this.data = JSON.parse(step.after);
		this.changed();
		return true;
	}

	changed(what = null) {
		for (const listener of this.listeners) listener(what);
	}

	// Each list of blocks: that of the message, and those of columns.
	*lists(blocks = this.data.blocks) {
		yield blocks;
		for (const block of blocks) for (const column of block.columns || []) yield* this.lists(column);
	}

	// Where a block stands: {block, list, index}; null where there is none.
	find(id) {
		for (const list of this.lists()) {
			const index = list.findIndex((block) => block.id === id);
			if (index >= 0) return { block: list[index], list, index };
		}
		return null;
	}

	// The list with this name: "" is the message, "id:0" the first column of a block.
	list_named(name) {
		if (!name) return this.data.blocks;
		const [id, column] = name.split(":");
		const block = this.find(id)?.block;
		// A design has no list for a column that was never used.
		while (block && block.columns.length <= Number(column)) block.columns.push([]);
		return block?.columns[Number(column)];
	}

	// The lists that a block shows: as many as it has columns, and those beyond where something stands in them.
	columns_of(block) {
		const most = this.kinds[block.type].columns || 0;
		const shares = block.shares ? block.shares.split(":").length : most;
		const lists = Array.from({ length: most }, (_none, index) => block.columns?.[index] || []);
		return lists.filter((list, index) => index < shares || list.length);
	}

	// taken: the ids that are no more free; the new one is put to them.
	new_id(taken = this.ids()) {
		let number = taken.size + 1;
		while (taken.has(`n${number}`)) number += 1;
		taken.add(`n${number}`);
		return `n${number}`;
	}

	ids() {
		return new Set([...this.lists()].flat().map((block) => block.id));
	}

	// A new block, with what its fields begin with. texts: its texts in a language.
	make(type, language, texts = {}) {
		const block = { id: this.new_id(), type };
		for (const field of this.kinds[type].fields) {
			if (!field.of_language) block[field.name] = field.default || (field.options[0] || [""])[0];
		}
		const columns = this.kinds[type].columns || 0;
		if (columns) block.columns = Array.from({ length: columns }, () => []);
		for (const [name, text] of Object.entries(texts)) this.texts(language)[`${block.id}.${name}`] = text;
		return block;
	}

	// Add a block before the foot, or behind another one; returns its id.
	add(type, language, { after = null, list = "", texts = {} } = {}) {
		let id;
		this.step(() => {
			const block = this.make(type, language, texts);
			id = block.id;
			const place = after && this.find(after);
			const target = place ? place.list : this.list_named(list);
			let index = place ? place.index + 1 : target.length;
			if (target === this.data.blocks) index = Math.min(index, this.foot_index());
			target.splice(index, 0, block);
		});
		return id;
	}

	foot_index() {
		const index = this.data.blocks.findIndex((block) => this.kinds[block.type].fixed);
		return index < 0 ? this.data.blocks.length : index;
	}

	// Move a block to a place in a list; nothing where it may not stand there.
	move(id, list, index) {
		const place = this.find(id);
		const kind = this.kinds[place.block.type];
		if (kind.fixed || (list && (kind.columns || !this.find(list.split(":")[0])))) return false;
		this.step(() => {
			const target = this.list_named(list);
			place.list.splice(place.index, 1);
			const most = target === this.data.blocks ? this.foot_index() : target.length;
			target.splice(Math.min(index, most), 0, place.block);
		});
		return true;
	}

	// Move a block up (-1) or down (1) among its neighbours.
	shift(id, by) {
		const place = this.find(id);
		const index = place.index + by;
		const most = place.list === this.data.blocks ? this.foot_index() : place.list.length;
		if (this.kinds[place.block.type].fixed || index < 0 || index >= most) return false;
		this.step(() => {
			place.list.splice(place.index, 1);
			place.list.splice(index, 0, place.block);
		});
		return true;
	}

	// Where a block goes that steps aside: [list, index]. By 1 into the next column, or into the first one of the columns
	// above it; by -1 back, and out of the first one behind the columns. null where there is nothing beside it.
	beside(id, by) {
		const place = this.find(id);
		const kind = this.kinds[place.block.type];
		if (kind.fixed || kind.columns) return null;
		const end_of = (block, column) => [`${block.id}:${column}`, this.columns_of(block)[column].length];
		if (place.list === this.data.blocks) {
			const above = place.list[place.index - 1];
			return by > 0 && above && this.columns_of(above).length ? end_of(above, 0) : null;
		}
		const index = this.data.blocks.findIndex((block) => block.columns?.includes(place.list));
		const block = this.data.blocks[index];
		const column = block.columns.indexOf(place.list) + by;
		if (column < 0) return ["", index + 1];
		return column < this.columns_of(block).length ? end_of(block, column) : null;
	}

	remove(id) {
		const place = this.find(id);
		if (!place || this.kinds[place.block.type].fixed) return false;
		this.step(() => this.take_out(place.block, place.list));
		return true;
	}

	// A block, what stands in it, and the texts of both: their ids are free again, and the next block of such an id is not
	// to begin with these texts.
	take_out(block, list) {
		list.splice(list.indexOf(block), 1);
		const gone = new Set([...this.lists([block])].flat().map(({ id }) => id));
		for (const texts of Object.values(this.data.texts)) {
			for (const key of Object.keys(texts)) if (key.includes(".") && gone.has(key.split(".")[0])) delete texts[key];
		}
	}

	duplicate(id) {
		const place = this.find(id);
		let copied;
		this.step(() => {
			// No copy stands in the design before all of them are made, so the design does not know their ids.
			const taken = this.ids();
			const copy = (block) => {
				const made = { ...structuredClone(block), id: this.new_id(taken) };
				for (const texts of Object.values(this.data.texts)) {
					for (const [key, text] of Object.entries(texts)) {
						const [of, name] = key.split(".");
						if (of === block.id && name) texts[`${made.id}.${name}`] = text;
					}
				}
				if (block.columns) made.columns = block.columns.map((column) => column.map(copy));
				return made;
			};
			copied = copy(place.block);
			place.list.splice(place.index + 1, 0, copied);
		});
		return copied.id;
	}

	set_value(id, name, value) {
		this.step(() => (this.find(id).block[name] = value), `${id}.${name}`);
	}

	set_only(id, only, what = null) {
		this.step(() => {
			const { block } = this.find(id);
			if (only.if.length || only.languages.length) block.only = only;
			else delete block.only;
		}, what);
	}

	texts(language) {
		return (this.data.texts[language] = this.data.texts[language] || {});
	}

	text(language, key) {
		return this.data.texts[language]?.[key] || "";
	}

	set_text(language, key, text) {
		this.step(() => {
			if (text) this.texts(language)[key] = text;
			else delete this.texts(language)[key];
		}, `${language} ${key}`);
	}

	set_texts(language, texts) {
		this.step(() => Object.assign(this.texts(language), texts));
	}

	// A language with the texts of another one, to be translated.
	add_language(language, from) {
		this.step(() => (this.data.texts[language] = { ...(this.data.texts[from] || {}) }));
	}

	// What was shown in this language alone goes too: without its condition everybody would get it.
	remove_language(language) {
		if (Object.keys(this.data.texts).length < 2) return false;
		this.step(() => {
			delete this.data.texts[language];
			for (const list of [...this.lists()]) {
				for (const block of [...list]) {
					const { only } = block;
					if (!only?.languages.includes(language)) continue;
					only.languages = only.languages.filter((code) => code !== language);
					if (only.languages.length) continue;
					if (!this.kinds[block.type].fixed) this.take_out(block, list);
					else if (!only.if.length) delete block.only;
				}
			}
		});
		return true;
	}

	// Whether the choices of a block ask for a field; see `asked_fields` of designs/design.py.
	is_asked(block, field) {
		const [name, choice] = field.shown_if || [];
		return !name || block[name] === choice;
	}

	// The texts that a language lacks: what is needed, or said in another language.
	missing(language) {
		const found = [];
		const others = Object.keys(this.data.texts).filter((code) => code !== language);
		const look = (key, required) => {
			if (this.text(language, key)) return;
			if (required || others.some((code) => this.text(code, key))) found.push(key);
		};
		if (!this.text(language, "subject_source")) look("subject", true);
		look("preheader", false);
		for (const block of [...this.lists()].flat()) {
			const only = block.only?.languages || [];
			if (only.length && !only.includes(language)) continue;
			for (const field of this.kinds[block.type].fields) {
				if (field.of_language && this.is_asked(block, field)) look(`${block.id}.${field.name}`, field.required);
			}
		}
		return found;
	}
}
