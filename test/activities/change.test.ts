// Whoever has nothing to do is told so; whoever lost every race is told that, and comes again.

import assert from "node:assert/strict";
import { it } from "node:test";
import { change } from "../../activities/change.ts";
import type { Transition } from "../../domain/transition.ts";
import { messageOf } from "../harness/message.ts";

const message = messageOf({ id: "msg_a", state: "queued" });
const end: Transition = { id: "msg_a", from: ["queued"], to: "expired" };

/** A message that another driver changes just before each of so many tries. */
function racing(lost: number) {
	const seen = { reads: 0, tries: 0 };
	const messages = {
		async find() {
			seen.reads++;
			return message;
		},
		transition: async () => ++seen.tries > lost,
	};
	return { seen, messages };
}

it("a change that loses a race is decided anew, on what it then is", async () => {
	const { seen, messages } = racing(3);
	assert.deepEqual(await change(messages, "msg_a", () => end, message), { before: message, applied: end });
	assert.deepEqual(seen, { reads: 3, tries: 4 });
});

it("nothing to do, and no message, are no failure", async () => {
	const { seen, messages } = racing(0);
	assert.equal(await change(messages, "msg_a", () => undefined), undefined);
	assert.equal(await change({ ...messages, find: async () => undefined }, "msg_a", () => end), undefined);
	assert.equal(seen.tries, 0);
});

it("every race lost is a failure, bounded, and one that is tried again", async () => {
	const { seen, messages } = racing(Number.POSITIVE_INFINITY);
	await assert.rejects(
		change(messages, "msg_a", () => end),
		{ code: "store_unavailable" },
	);
	assert.ok(seen.tries < 20);
});
