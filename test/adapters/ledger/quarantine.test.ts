// What a process makes of a store that is old, another one, or was away: it does nothing by what it remembers of it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createQuarantine } from "../../../adapters/ledger/quarantine.ts";
import { LetheError } from "../../../domain/errors.ts";
import type { Epoch, EpochStanding } from "../../../domain/ledger.ts";

const epochOf = (beat: number, epoch = "epo_a"): Epoch => ({ epoch, beat, at: beat });

function open(standing: EpochStanding = "current") {
	const world = { stored: epochOf(7) as Epoch | undefined, standing, isLedgerAway: false, isStoreAway: false };
	let forgotten = 0;
	const stored = async () => {
		if (world.isStoreAway) throw new LetheError("store_unavailable", { cause: "ledger file EACCES" });
		return world.stored;
	};
	const told: object[] = [];
	const quarantine = createQuarantine({
		async life() {
			const found = await stored();
			if (world.isLedgerAway) throw new LetheError("keys_unavailable");
			return { stored: found, standing: world.standing };
		},
		stored,
		forget: () => forgotten++,
		log: { error: (fields) => void told.push(fields) },
	});
	return { world, quarantine, told, forgotten: () => forgotten };
}

describe("a process and its store", () => {
	it("does nothing before both were compared, nor while the store is old", async () => {
		const { world, quarantine } = open("store_behind");
		assert.throws(quarantine.check, { code: "quarantined" });
		await quarantine.refresh();
		assert.throws(quarantine.check, { code: "quarantined" });
		world.standing = "current";
		await quarantine.refresh();
		quarantine.check();
	});

	it("says once why nobody could compare them, in its log and to whoever asks", async () => {
		const { world, quarantine, told } = open();
		world.isStoreAway = true;
		for (let looks = 0; looks < 3; looks++) await quarantine.refresh();
		const why = { code: "store_unavailable", cause: "ledger file EACCES" };
		assert.deepEqual(told, [why]);
		assert.throws(quarantine.check, { cause: "not compared yet store_unavailable: ledger file EACCES" });
		world.isStoreAway = false;
		await quarantine.refresh();
		quarantine.check();
		world.isStoreAway = true;
		await quarantine.refresh();
		assert.deepEqual(told, [why, why], "another time is told again");
	});

	it("forgets what it knows of the store while that is old, and when it begins another life", async () => {
		const { world, quarantine, forgotten } = open();
		await quarantine.refresh();
		world.stored = epochOf(8);
		await quarantine.refresh();
		assert.equal(forgotten(), 0, "a beat further it is the same store");
		Object.assign(world, { stored: epochOf(3), standing: "store_behind" });
		await quarantine.refresh();
		assert.equal(forgotten(), 1);
		Object.assign(world, { stored: epochOf(1, "epo_b"), standing: "current" });
		await quarantine.refresh();
		assert.equal(forgotten(), 2);
		await quarantine.refresh();
		assert.equal(forgotten(), 2);
	});

	it("forgets it when the store was restored and begun anew between two looks", async () => {
		const { world, quarantine, forgotten } = open();
		await quarantine.refresh();
		world.stored = epochOf(1, "epo_b");
		await quarantine.refresh();
		quarantine.check();
		assert.equal(forgotten(), 1);
	});

	it("takes what is known for true while a server is away", async () => {
		const { world, quarantine, forgotten } = open();
		await quarantine.refresh();
		for (const away of ["isLedgerAway", "isStoreAway"] as const) {
			world[away] = true;
			await quarantine.refresh();
			quarantine.check();
		}
		assert.equal(forgotten(), 0);
	});

	it("does nothing once the store was out of sight, until it was looked at again", async () => {
		const { world, quarantine } = open();
		await quarantine.refresh();
		world.isStoreAway = true;
		quarantine.lose();
		await quarantine.refresh();
		assert.throws(quarantine.check, { code: "store_unavailable" });
		quarantine.checkAge();
		world.isStoreAway = false;
		await quarantine.refresh();
		quarantine.check();
		quarantine.lose();
		Object.assign(world, { stored: epochOf(3), standing: "store_behind" });
		assert.throws(quarantine.check, { code: "store_unavailable" });
		await quarantine.refresh();
		assert.throws(quarantine.check, { code: "quarantined" });
	});

	it("has who asks wait until a store that was away is looked at, which is asked for again while one look runs", async () => {
		const { world, quarantine } = open();
		await quarantine.refresh();
		const looking = quarantine.refresh();
		quarantine.lose();
		const asking = quarantine.checkSettled();
		await Promise.all([looking, quarantine.refresh()]);
		await asking;
		quarantine.check();
		quarantine.lose();
		Object.assign(world, { stored: epochOf(3), standing: "store_behind" });
		const asked = assert.rejects(quarantine.checkSettled(), { code: "quarantined" });
		await quarantine.refresh();
		await asked;
	});

	it("a look that had begun before it was out of sight does not count", async () => {
		const { quarantine } = open();
		const looking = quarantine.refresh();
		quarantine.lose();
		await looking;
		assert.throws(quarantine.check, { code: "store_unavailable" });
	});

	it("without the ledger goes on with the life that it knows, and with no earlier beat or other life of it", async () => {
		for (const [stored, isKnown] of [
			[epochOf(7), true],
			[epochOf(9), true],
			[epochOf(6), false],
			[epochOf(9, "epo_b"), false],
			[undefined, false],
		] as const) {
			const { world, quarantine } = open();
			await quarantine.refresh();
			Object.assign(world, { stored, isLedgerAway: true });
			quarantine.lose();
			await quarantine.refresh();
			if (isKnown) quarantine.check();
			else assert.throws(quarantine.check, { code: "store_unavailable" });
		}
	});
});
