// What others wrote may not act on the terminal of whoever reads it.

import assert from "node:assert/strict";
import { it } from "node:test";
import { printable } from "../../cli/printable.ts";

it("on a terminal a text moves no cursor and clears no line; into a file it goes as it is", () => {
	const text = "Ready\r\u001b[2K\u009b1A\b\nat\tnoon";
	assert.equal(printable(text, { isTTY: true }), "Ready\ufffd\ufffd[2K\ufffd1A\ufffd\nat\tnoon");
	assert.equal(printable(text, {}), text);
});
