// What an area code tells: every place has its codes, no code has two places, and a zone is named only where it is sure.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePhoneNumberFromString } from "libphonenumber-js/max";
import { areaCodes, areaOf } from "../../policies/areaCodes.ts";
import { isTimezone } from "../../policies/facts.ts";
import { candidateZones } from "../../policies/zones.ts";

const all = Object.entries(areaCodes).flatMap(([region, codes]) => codes.split(" ").map((code) => ({ region, code })));

test("every state, the district and every province of one kind has its codes, and none is given twice", () => {
	const states = new Set(candidateZones("US").map(({ region }) => region));
	for (const state of states) assert.ok(state && areaCodes[state], state);
	assert.equal(Object.keys(areaCodes).filter((region) => region.startsWith("US-")).length, states.size);
	assert.equal(new Set(all.map(({ code }) => code)).size, all.length);
	assert.ok(all.every(({ code }) => /^[2-9]\d\d$/.test(code)));
});

test("the numbering plan agrees on the country of each code, and has no place without a region here", () => {
	for (const { region, code } of all) {
		const parsed = parsePhoneNumberFromString(`+1${code}2345678`);
		// Codes that are assigned but not in service yet are not in the plan's table.
		if (parsed?.country) assert.equal(parsed.country, region.slice(0, 2), code);
	}
	const sharedByProvinces = ["782", "867", "902"];
	for (let code = 200; code < 1000; code++) {
		const parsed = parsePhoneNumberFromString(`+1${code}2345678`);
		if (!parsed?.isValid() || !["US", "CA"].includes(parsed.country ?? "")) continue;
		// Personal numbers and such belong to no place: 5XX, 600, 622, 700, 710.
		if (parsed.getType() !== "FIXED_LINE_OR_MOBILE" || sharedByProvinces.includes(String(code))) continue;
		assert.ok(areaOf(String(code)).region, String(code));
	}
});

test("a zone is one of its region's, and is left out where a border runs through the area", () => {
	for (const { region, code } of all) {
		const { timezone } = areaOf(code);
		if (timezone === undefined) continue;
		assert.ok(isTimezone(timezone), timezone);
		if (region.startsWith("US-"))
			assert.ok(
				candidateZones("US", region).some(({ zone }) => zone === timezone),
				code,
			);
	}
	assert.deepEqual(areaOf("305"), { region: "US-FL", timezone: "America/New_York" });
	assert.deepEqual(areaOf("850"), { region: "US-FL" });
	assert.deepEqual(areaOf("423"), { region: "US-TN" });
	assert.deepEqual(areaOf("915"), { region: "US-TX", timezone: "America/Denver" });
	assert.deepEqual(areaOf("807"), { region: "CA-ON" });
	assert.deepEqual(areaOf("902"), { timezone: "America/Halifax" });
	assert.deepEqual(areaOf("800"), {});
});
