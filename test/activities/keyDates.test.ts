// The keys of an object that was moved end with the last of them: a copy from before the move is opened by the former one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formerCohorts, readKeyDates } from "../../activities/keyDates.ts";
import type { Cohort } from "../../adapters/mongo/models.ts";
import { limits } from "../../domain/limits.ts";
import { type Message, noEnd } from "../../domain/message.ts";

const stored: Record<string, Partial<Cohort>> = {
	open: { dueAt: 50 },
	later: { dueAt: 90 },
	destroyed: { dueAt: 30, destroyedAt: 31 },
	gone: { dueAt: 20, destroyedAt: 40 },
	held: { dueAt: noEnd },
};
const datesOf = async (cohortId: string | undefined, ...formers: string[]) => {
	const read: string[] = [];
	const find = async (id: string) => {
		read.push(id);
		return stored[id] as Cohort | undefined;
	};
	const record = { ...(cohortId && { cohortId }), formerCohorts: formers };
	const [first, second] = await readKeyDates({ cohorts: { find } }, [record, record]);
	assert.deepEqual(first, second);
	assert.equal(read.length, new Set(read).size, "each once");
	return [first?.keyDestroyedAt, first?.keyDueAt];
};

test("all keys are destroyed when the last of them was, and none is while one stands", async () => {
	assert.deepEqual(await datesOf("destroyed"), [31, 31]);
	assert.deepEqual(await datesOf("destroyed", "gone"), [40, 40]);
	assert.deepEqual(await datesOf("destroyed", "open"), [undefined, 50]);
	assert.deepEqual(await datesOf("open", "later"), [undefined, 90]);
	assert.deepEqual(await datesOf("open", "destroyed"), [undefined, 50]);
});

test("nothing is known of the end while a hold keeps one of them, or one is not known", async () => {
	assert.deepEqual(await datesOf("destroyed", "held"), [undefined, undefined]);
	assert.deepEqual(await datesOf("destroyed", "unknown"), [undefined, undefined]);
	assert.deepEqual(await datesOf(undefined), [undefined, undefined]);
});

test("what moves leaves its cohort behind, once, and one that it comes back to is no former one", () => {
	const at = (cohortId: string, formers?: string[]) =>
		({ content: { cohortId }, retention: { content: { formerCohorts: formers } } }) as unknown as Message;
	assert.deepEqual(formerCohorts(at("a"), "content", "b"), ["a"]);
	assert.deepEqual(formerCohorts(at("b", ["a"]), "content", "c"), ["a", "b"]);
	assert.deepEqual(formerCohorts(at("b", ["a"]), "content", "a"), ["b"]);
	const many = Array.from({ length: limits.formerCohortsMax }, (_, index) => `c${index}`);
	assert.deepEqual(formerCohorts(at("last", many), "content", "z"), [...many.slice(1), "last"]);
});
