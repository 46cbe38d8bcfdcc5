// Where a text stops being JSON: the parser's own message does not always say, and repeats what is there. It also takes the last of two values of one name, in silence.

const tokens =
	/[ \t\r\n]*(?:([{}[\],:])|("(?:[^"\\\p{Cc}]|[\x7f-\x9f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/uy;
type Expected = "value" | "value or end" | "key" | "key or end" | "colon" | "comma or end" | "nothing";
/** What is open: a list, or an object by the names that it has so far. */
type Open = "list" | Set<string>;

/**
 * Line and column, both from 1, of the first thing that JSON does not allow, or of a name that its object has already;
 * undefined where there is neither.
 */
export function jsonFault(text: string): { line: number; column: number; repeats: boolean } | undefined {
	const found = findFault(text);
	if (!found) return undefined;
	const before = text.slice(0, found.offset).split("\n");
	return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, repeats: found.repeats };
}

function findFault(text: string): { offset: number; repeats: boolean } | undefined {
	const open: Open[] = [];
	let expected: Expected = "value";
	tokens.lastIndex = 0;
	for (;;) {
		const end = tokens.lastIndex;
		const match = tokens.exec(text);
		const offset = end + (/^[ \t\r\n]*/.exec(text.slice(end))?.[0].length ?? 0);
		if (!match) return expected === "nothing" && offset === text.length ? undefined : { offset, repeats: false };
		const [, mark, string] = match;
		if (string !== undefined && expected.startsWith("key") && isRepeated(string, open))
			return { offset, repeats: true };
		const next: Expected | undefined = step(expected, mark ?? (string === undefined ? "scalar" : "string"), open);
		if (next === undefined) return { offset, repeats: false };
		expected = next;
	}
}

/** Whether the innermost object has that name; it has it from now on. */
function isRepeated(string: string, open: Open[]): boolean {
	const names = open.at(-1);
	const name: string = JSON.parse(string);
	if (!(names instanceof Set)) return false;
	return names.size === names.add(name).size;
}

/** What may come after a token, undefined when the token may not come here. `open` holds what is open. */
function step(expected: Expected, token: string, open: Open[]): Expected | undefined {
	const after = () => (open.length === 0 ? "nothing" : "comma or end");
	const isInList = open.at(-1) === "list";
	if (token === "]" || token === "}") {
		const isOpen = open.length > 0 && isInList === (token === "]");
		const mayEnd = expected === "comma or end" || expected === (isInList ? "value or end" : "key or end");
		if (!isOpen || !mayEnd) return undefined;
		open.pop();
		return after();
	}
	if (token === ",") return expected === "comma or end" ? (isInList ? "value" : "key") : undefined;
	if (token === ":") return expected === "colon" ? "value" : undefined;
	if (token === "string" && expected.startsWith("key")) return "colon";
	if (!expected.startsWith("value")) return undefined;
	if (token !== "[" && token !== "{") return after();
	open.push(token === "[" ? "list" : new Set());
	return token === "[" ? "value or end" : "key or end";
}
