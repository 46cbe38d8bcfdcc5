// The redactor gives every send queue its turns, and none keeps another waiting.

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import type { Turned } from "../../activities/redact.ts";
import { limits } from "../../domain/limits.ts";
import { createRedactor } from "../../workers/redactor.ts";
import { until } from "../harness/until.ts";

describe("the redactor", () => {
	const running: { close: () => Promise<void> }[] = [];
	afterEach(async () => {
		for (const one of running.splice(0)) await one.close();
	});

	function start(turns: Record<string, (isStopping: () => boolean) => Promise<Turned>>, check = () => undefined) {
		const seen: string[] = [];
		const errors: Error[] = [];
		const redact = {
			findQueues: async () => Object.keys(turns),
			redactQueue: async (name: string, isStopping: () => boolean) => {
				seen.push(name);
				return (turns[name] as (typeof turns)[string])(isStopping);
			},
		};
		const redactor = createRedactor({ redact, check, onError: (error) => errors.push(error), restMs: 60_000 });
		redactor.start();
		running.push(redactor);
		return { redactor, errors, count: (name: string) => seen.filter((one) => one === name).length };
	}

	it("has a queue with more work again at once, beside one whose carrier does not answer", async () => {
		const answer = Promise.withResolvers<Turned>();
		const { count } = start({ slow: () => answer.promise, quick: async () => "more" });
		await until(() => count("quick") > 2);
		assert.equal(count("slow"), 1);
		answer.resolve("none");
		await until(() => count("slow") > 1);
	});

	it("leaves one alone for a while that forgets nothing, or fails, and gives the others their turns", async () => {
		const fail = () => Promise.reject(new Error("away"));
		const { count, errors } = start({ away: async () => "resting", failing: fail, well: async () => "more" });
		await until(() => count("well") > 2);
		assert.deepEqual([count("away"), count("failing"), errors.length], [1, 1, 1]);
	});

	it("gives so many their turn at once only, and the next ones theirs after", async () => {
		const answers = Array.from({ length: limits.redactionQueuesMax + 1 }, () => Promise.withResolvers<Turned>());
		const turns = answers.map(({ promise }, index) => [`q${index}`, () => promise] as const);
		const { count } = start(Object.fromEntries(turns));
		const begun = () => answers.filter((_, index) => count(`q${index}`) > 0).length;
		await until(() => begun() === limits.redactionQueuesMax);
		answers[0]?.resolve("none");
		await until(() => begun() === answers.length);
		for (const { resolve } of answers) resolve("none");
	});

	it("does nothing while its process may not, and ends its turns when it is closed", async () => {
		let isShut = true;
		const check = () => {
			if (isShut) throw new Error("quarantined");
			return undefined;
		};
		let stopped = false;
		const turn = async (isStopping: () => boolean): Promise<Turned> => {
			await until(isStopping);
			stopped = true;
			return "more";
		};
		const { redactor, count, errors } = start({ queue: turn }, check);
		await until(() => errors.length > 0);
		assert.equal(count("queue"), 0);
		isShut = false;
		await until(() => count("queue") === 1);
		await redactor.close();
		assert.equal(stopped, true);
	});
});
