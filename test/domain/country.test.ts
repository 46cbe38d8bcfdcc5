// Two letters that name no country are refused: by a code that no number and no law has, nothing would be sent or asked.

import assert from "node:assert/strict";
import { test } from "node:test";
import { getCountries } from "libphonenumber-js/max";
import { countryOf, isCountry } from "../../domain/country.ts";

test("every country that a number may be of is one", () => {
	assert.deepEqual(
		getCountries().filter((code) => !isCountry(code)),
		[],
	);
});

test("a group, a former country and another code of one is none, and of a country's other code its own is known", () => {
	for (const code of ["UK", "EL", "EU", "UN", "SU", "YU", "ZZ", "XA", "QQ", "de", "", "DEU"]) {
		assert.equal(isCountry(code), false, code);
	}
	assert.deepEqual(["UK", "EL", "DD", "DE"].map(countryOf), ["GB", "GR", "DE", "DE"]);
	assert.deepEqual(["EU", "QQ", "D", "constructor"].map(countryOf), [undefined, undefined, undefined, undefined]);
});
