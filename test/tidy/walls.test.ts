// The walls between rooms, cycles and dead files: judged on synthetic trees first, then on this one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSource } from "./source.ts";
import { treeSources } from "./tree.ts";
import { findBreaches, findCycles, findDead, rooms } from "./walls.ts";

const arrowsOf = (files: Record<string, string>) =>
	Object.entries(files).flatMap(([path, text]) => parseSource(path, text).arrows);
const breaches = (path: string, text: string) => findBreaches(arrowsOf({ [path]: text }));

const forbidden: [path: string, text: string][] = [
	["domain/message.ts", 'import { z } from "zod";'],
	["domain/message.ts", 'import { readFileSync } from "node:fs";'],
	["domain/message.ts", 'import { readFileSync } from "fs";'],
	["domain/message.ts", 'import type { Hash } from "node:crypto";'],
	["domain/message.ts", 'import "../policies/evaluate.ts";'],
	["domain/message.ts", 'let mongo: import("../adapters/mongo/store.ts").Store;'],
	["domain/message.ts", 'export * from "../audit/entry.ts";'],
	["domain/message.ts", 'await import("../audit/entry.ts");'],
	["policies/evaluate.ts", 'import { readFileSync } from "node:fs";'],
	["policies/evaluate.ts", 'import { loadConfig } from "../config.ts";'],
	["adapters/mongo/store.ts", 'import type { Decision } from "../../policies/evaluate.ts";'],
	["adapters/redis/queues.ts", 'import { contract } from "../../workflows/contract.ts";'],
	["adapters/temporal/client.ts", 'import { lifecycle } from "../../workflows/lifecycle.ts";'],
	["adapters/redis/queues.ts", 'import mongoose from "mongoose";'],
	["audit/append.ts", 'import { createStore } from "../adapters/mongo/store.ts";'],
	["workflows/lifecycle.ts", 'import { createActivities } from "../activities/index.ts";'],
	["workflows/lifecycle.ts", 'import { type A, createActivities } from "../activities/index.ts";'],
	["workflows/lifecycle.ts", 'import { createHash } from "node:crypto";'],
	["workflows/lifecycle.ts", 'import pino from "pino";'],
	["activities/prepare.ts", 'import { createVault } from "../adapters/vault/index.ts";'],
	["activities/prepare.ts", 'export { createVault } from "../adapters/vault/index.ts";'],
	["activities/prepare.ts", 'import type { Model } from "mongoose";'],
	["api/routes/messages/create.ts", 'import { loadConfig } from "../../../config.ts";'],
	["api/routes/messages/create.ts", 'import { createStore } from "../../../adapters/mongo/store.ts";'],
	["api/app.ts", 'import { createDeps } from "../deps.ts";'],
	["api/app.ts", "await import(name);"],
	["api/app.ts", 'import { createRequire } from "node:module";'],
	["deps.ts", 'import { createApp } from "./api/app.ts";'],
	["stack/carrier/server.ts", 'import { createSimulator } from "../../adapters/carriers/simulator.ts";'],
	["stack/carrier/server.ts", 'import { startStack } from "../start.ts";'],
	["cli/lethe.ts", 'import { startStack } from "../stack/start.ts";'],
	["cli/send.ts", 'import { createStore } from "../adapters/mongo/store.ts";'],
	["cli/send.ts", 'import mongoose from "mongoose";'],
	["stack/start.ts", 'import { createLedger } from "./carrier/ledger.ts";'],
	["client/index.ts", 'import type { Message } from "../domain/message.ts";'],
	["elsewhere/x.ts", 'import { limits } from "../domain/limits.ts";'],
];
const permitted: [path: string, text: string][] = [
	["domain/message.ts", 'import type { State } from "./lifecycle.ts";'],
	["policies/evaluate.ts", 'import { z } from "zod"; import { limits } from "../domain/limits.ts";'],
	["policies/load.ts", 'import { readFileSync } from "node:fs"; import { evaluate } from "./evaluate.ts";'],
	["policies/index.ts", 'import { loadPacks } from "./load.ts";'],
	["adapters/temporal/client.ts", 'import { contract } from "../../workflows/contract.ts";'],
	["adapters/mongo/store.ts", 'import { createHash } from "node:crypto"; import mongoose from "mongoose";'],
	["audit/append.ts", 'import type { Store } from "../adapters/mongo/store.ts";'],
	["workflows/lifecycle.ts", 'import type { Activities } from "../activities/index.ts";'],
	["workflows/lifecycle.ts", 'import { type Activities } from "../activities/index.ts";'],
	["activities/prepare.ts", 'let vault: import("../adapters/vault/index.ts").Vault;'],
	["api/server.ts", 'import { createDeps } from "../deps.ts"; import { createApp } from "./app.ts";'],
	["cli/lethe.ts", 'import { readStackFile } from "../stack/stackFile.ts";'],
	["test/anything.test.ts", 'import { createStore } from "../adapters/mongo/store.ts"; await import(name);'],
];

for (const [path, text] of forbidden) {
	test(`${path} may not say ${text}`, () => assert.equal(breaches(path, text).length, 1));
}
for (const [path, text] of permitted) {
	test(`${path} may say ${text}`, () => assert.deepEqual(breaches(path, text), []));
}

test("files that reach each other are a cycle, types included", () => {
	const ring = { "domain/a.ts": 'import "./b.ts";', "domain/b.ts": 'import type { C } from "./c.ts";' };
	assert.deepEqual(findCycles(arrowsOf(ring)), []);
	assert.deepEqual(findCycles(arrowsOf({ ...ring, "domain/c.ts": 'export * from "./a.ts";' })), [
		"domain/a.ts ↔ domain/b.ts ↔ domain/c.ts",
	]);
	assert.deepEqual(findCycles(arrowsOf({ "domain/a.ts": 'import "./a.ts";' })), ["domain/a.ts"]);
});

test("a file that no program reaches is dead, even when a test reaches it", () => {
	const files = {
		"api/server.ts": 'import "./app.ts";',
		"api/app.ts": "",
		"domain/left.ts": "",
		"test/domain/left.test.ts": 'import "../../domain/left.ts"; import "../used.ts";',
		"test/used.ts": "",
		"test/unused.ts": "",
	};
	assert.deepEqual(findDead(Object.keys(files), arrowsOf(files)), ["domain/left.ts", "test/unused.ts"]);
});

test("every arrow of this tree keeps to the walls", () => {
	assert.deepEqual(findBreaches(treeSources.flatMap((source) => source.arrows)), []);
});

test("no file of this tree reaches itself", () => {
	assert.deepEqual(findCycles(treeSources.flatMap((source) => source.arrows)), []);
});

test("every file of this tree is reached by a program or a test", () => {
	const paths = treeSources.map((source) => source.path);
	assert.deepEqual(
		findDead(
			paths,
			treeSources.flatMap((source) => source.arrows),
		),
		[],
	);
});

test("every file of this tree is in a room of the table", () => {
	const homeless = treeSources.filter(
		({ path }) => !Object.keys(rooms).some((room) => `${path}/`.startsWith(`${room}/`)),
	);
	assert.deepEqual(
		homeless.map(({ path }) => path),
		[],
	);
});
