// What the API says of a field is told by the option that gives it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { optionOf } from "../../cli/optionOf.ts";

const longs = ["approved-by", "message", "data-class", "class", "reference", "to", "limit"];
const command = { options: longs.map((long) => ({ long: `--${long}` })) };

test("a field is called by the option that gives it, and one that none gives by its pointer", () => {
	const told: Record<string, string> = {
		"/approvedBy": "--approved-by",
		"/messageId": "--message",
		"/dataClasses/0": "--data-class",
		"/clientReference": "--reference",
		"/to": "--to",
		"/querystring/limit": "--limit",
		"/tone": "/tone",
		"/sendAt": "/sendAt",
		"": "",
	};
	for (const [pointer, expected] of Object.entries(told)) assert.equal(optionOf(pointer, command), expected, pointer);
});
