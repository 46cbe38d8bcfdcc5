// How the effects on messages add up, of a simulation and of the pass that follows its publication.

import assert from "node:assert/strict";
import { test } from "node:test";
import { tally } from "../../policies/simulate.ts";

test("a message that is only wrapped anew is unchanged in both counts: of a simulation, and of what came of it", () => {
	const count = (...messages: string[][]) => {
		const sum: Parameters<typeof tally>[0] = { counts: {}, samples: {} };
		for (const [index, effects] of messages.entries()) tally(sum, `msg_${index}`, effects);
		return sum;
	};
	const simulated = count([], ["purge_sooner"], []);
	const applied = count(["rewrapped"], ["purge_sooner", "rewrapped"], []);
	assert.deepEqual(simulated.counts, { messages: 3, unchanged: 2, purge_sooner: 1 });
	const { rewrapped, ...others } = applied.counts;
	assert.deepEqual([others, rewrapped], [simulated.counts, 2]);
	assert.deepEqual(applied.samples.rewrapped, ["msg_0", "msg_1"]);
});
