// Settings: what is unknown ends the process, however near it is to a name that there is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, loadConfig } from "../config.ts";
import { readTreeFile } from "./tidy/tree.ts";

test("a misspelt setting is refused by its name, one that begins as the simulated carrier's do, too", () => {
	for (const name of ["LETHE_CARRIER_LIFETIM_MS", "LETHE_CARRIER_", "LETHE_FOO"]) {
		const says = new RegExp(`^${name} is not a setting\\.`);
		assert.throws(
			() => loadConfig({ [name]: "1" }),
			(error: unknown) => error instanceof ConfigError && says.test(error.message),
		);
	}
});

test("the simulated carrier's own variables may stand beside the settings, each of them", () => {
	const own = new Set(readTreeFile("stack/carrier/server.ts").match(/\bLETHE_CARRIER_[A-Z_]+/g));
	assert.ok(own.size >= 7);
	for (const name of own) assert.doesNotThrow(() => loadConfig({ [name]: "1" }), name);
});
