// Where a text stops being JSON: the parser's own message does not always say, and repeats what is there.

const tokens =
	/[ \t\r\n]*(?:([{}[\],:])|("(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/uy;
type Expected = "value" | "value or end" | "key" | "key or end" | "colon" | "comma or end" | "nothing";

/** Line and column, both from 1, of the first thing that JSON does not allow. */
export function jsonPosition(text: string): { line: number; column: number } {
	const offset = faultOffset(text);
	const before = text.slice(0, offset).split("\n");
	return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

function faultOffset(text: string): number {
	const open: string[] = [];
	let expected: Expected = "value";
	tokens.lastIndex = 0;
	for (;;) {
		const end = tokens.lastIndex;
		const match = tokens.exec(text);
		const start = end + (/^[ \t\r\n]*/.exec(text.slice(end))?.[0].length ?? 0);
		if (!match) return start;
		const [, mark, string] = match;
		const next: Expected | undefined = step(expected, mark ?? (string === undefined ? "scalar" : "string"), open);
		if (next === undefined) return start;
		expected = next;
	}
}

/** What may come after a token, undefined when the token may not come here. `open` holds the brackets that are open. */
function step(expected: Expected, token: string, open: string[]): Expected | undefined {
	const after = () => (open.length === 0 ? "nothing" : "comma or end");
	if (token === "]" || token === "}") {
		const opening = token === "]" ? "[" : "{";
		const mayEnd = expected === "comma or end" || expected === (opening === "[" ? "value or end" : "key or end");
		return mayEnd && open.pop() === opening ? after() : undefined;
	}
	if (token === ",") return expected === "comma or end" ? (open.at(-1) === "[" ? "value" : "key") : undefined;
	if (token === ":") return expected === "colon" ? "value" : undefined;
	if (token === "string" && expected.startsWith("key")) return "colon";
	if (!expected.startsWith("value")) return undefined;
	if (token !== "[" && token !== "{") return after();
	open.push(token);
	return token === "[" ? "value or end" : "key or end";
}
