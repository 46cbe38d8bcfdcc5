// Times are told in RFC 3339, UTC, and one that is unknown is left out.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTime } from "../../domain/formatTime.ts";

test("a time is told in UTC to the millisecond, and none for one that is unknown", () => {
	assert.equal(formatTime(1_798_761_600_000), "2027-01-01T00:00:00.000Z");
	assert.equal(formatTime(undefined), undefined);
});
