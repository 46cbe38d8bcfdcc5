// Where a recipient may be when little is known of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTimezone } from "../../policies/facts.ts";
import { candidateZones, soleZone } from "../../policies/zones.ts";

const zonesOf = (country: string, region?: string) => [
	...new Set(candidateZones(country, region).map(({ zone }) => zone)),
];

test("a region narrows the zones, and a state of two zones keeps both", () => {
	assert.deepEqual(zonesOf("US", "US-NY"), ["America/New_York"]);
	assert.deepEqual(zonesOf("US", "US-TX"), ["America/Chicago", "America/Denver"]);
	assert.deepEqual(zonesOf("FR"), ["Europe/Paris"]);
	assert.equal(zonesOf("US").length, 8);
});

test("every state and the federal district is in the table once for each of its zones", () => {
	const candidates = candidateZones("US").map(({ region, zone }) => `${region} ${zone}`);
	assert.equal(new Set(candidates).size, candidates.length);
	assert.equal(new Set(candidateZones("US").map(({ region }) => region)).size, 51);
});

test("Canada's provinces, Brazil's states and Australia's are all there", () => {
	const regionsOf = (country: string) => new Set(candidateZones(country).map(({ region }) => region)).size;
	assert.deepEqual([regionsOf("CA"), regionsOf("BR"), regionsOf("AU")], [13, 27, 8]);
	assert.deepEqual(zonesOf("CA", "CA-NS"), ["America/Halifax", "America/Glace_Bay"]);
	// The Magdalen Islands keep the time of the maritime provinces, the lower north shore Atlantic time all year.
	assert.deepEqual(zonesOf("CA", "CA-QC"), ["America/Halifax", "America/Blanc-Sablon", "America/Toronto"]);
	assert.deepEqual(zonesOf("BR", "BR-SP"), ["America/Sao_Paulo"]);
});

test("a territory keeps its own time, not that of the country whose code it has", () => {
	assert.deepEqual(candidateZones("US", "US-GU"), [{ zone: "Pacific/Guam", region: "US-GU" }]);
	assert.deepEqual(zonesOf("US", "US-PR"), ["America/Puerto_Rico"]);
	assert.deepEqual([soleZone("FR", "FR-974"), soleZone("FR", "FR-RE")], ["Indian/Reunion", "Indian/Reunion"]);
	assert.deepEqual([soleZone("FR", "FR-IDF"), soleZone("NL", "NL-CW")], ["Europe/Paris", "America/Curacao"]);
	assert.equal(zonesOf("FR", "FR-PF").length, 3);
	for (const [country, code] of [
		...["AS", "GU", "MP", "PR", "VI", "UM"].map((code) => ["US", code]),
		...["971", "972", "973", "976", "PM", "NC", "WF", "TF", "PF", "BL", "MF"].map((code) => ["FR", code]),
	] as [string, string][]) {
		const own = zonesOf(country, `${country}-${code}`);
		assert.ok(own.every(isTimezone) && !own.some((zone) => zonesOf(country).includes(zone)), code);
	}
});

test("an unknown region may be any, an unknown country anywhere on Earth", () => {
	assert.deepEqual(
		candidateZones("US", "US-ZZ"),
		zonesOf("US").map((zone) => ({ zone })),
	);
	assert.equal(zonesOf("KP").length, 27);
	assert.ok(zonesOf("KP").every(isTimezone));
});

test("every zone of the table is one that the runtime knows", () => {
	for (const country of [
		"US",
		"AU",
		"DE",
		"GB",
		"IN",
		"CY",
		"PT",
		"ES",
		"RE",
		"YT",
		"GF",
		"MF",
		"AX",
		"CA",
		"BR",
		"SG",
	]) {
		for (const zone of zonesOf(country)) assert.ok(isTimezone(zone) && !zone.startsWith("Etc/"), zone);
	}
});
