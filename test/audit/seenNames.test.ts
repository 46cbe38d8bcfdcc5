// Names that were seen: each is new once, through all growth.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSeenNames } from "../../audit/seenNames.ts";

test("a name is new once, however many there are, and none is taken for another", () => {
	const seen = createSeenNames();
	const countMax = 200_000;
	for (let count = 0; count < countMax; count++) if (!seen.add(`ev_${count}`)) assert.fail(`ev_${count}`);
	for (let count = 0; count < countMax; count += 7) assert.equal(seen.add(`ev_${count}`), false);
	assert.equal(seen.add(`ev_${countMax}`), true);
	assert.equal(seen.add(""), true);
	assert.equal(seen.add(""), false);
});
