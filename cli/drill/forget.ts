// The forgetting drill: all stores are copied before and after a purge; whoever has any combination of them tries to read.

import { createSecretKey } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connectMongo } from "../../adapters/mongo/connection.ts";
import { createStore } from "../../adapters/mongo/store.ts";
import { createCohortKeys } from "../../adapters/vault/cohortKeys.ts";
import { openVault } from "../../adapters/vault/connection.ts";
import { makeRootToken } from "../../adapters/vault/rootToken.ts";
import { open } from "../../adapters/vault/seal.ts";
import { type Message, sealedObjects } from "../../domain/message.ts";
import { type Drilled, openStage, type Row, type Stage, toRow, waitFor, waitForFinal } from "./stage.ts";

const ages = ["old", "new"] as const;
type Age = (typeof ages)[number];

const messageCount = 3;
const text = (index: number) => `Forget me, canary of a drill, number ${index}`;
const numberOf = (index: number) => `+1202555010${index}`;

/** One object as an attacker has it: where it belongs, its ciphertext and both of its wrapped keys. */
type Loot = {
	tenantId: string;
	messageId: string;
	object: string;
	cohortId: string;
	wrappingKeyId: string;
	wrapped: string;
	wrappedKey: Buffer;
	ciphertext: Buffer;
};

/** Plays it in `dir`, a folder of its own. @throws Error that says what did not come about */
export async function drillForget(dir: string, say: (line: string) => void): Promise<Drilled> {
	const stage = await openStage(dir, say);
	try {
		await play(stage);
		const old = await attack(stage, "old", "old", []);
		const rows = [
			toRow(
				"database old, Vault old: read",
				`${old.read} of ${old.loot.length}`,
				`${messageCount * 2} of ${messageCount * 2}`,
			),
		];
		for (const vault of ages) {
			for (const mongodb of ages) {
				if (mongodb === "old" && vault === "old") continue;
				say(`attacking with the ${mongodb} database and the ${vault} Vault`);
				rows.push(...describe(mongodb, vault, await attack(stage, mongodb, vault, old.loot)));
			}
		}
		rows.push(...searchOthers(dir));
		return {
			title: "Reading what was forgotten, with all the keys that each copy has",
			passed: rows.every(({ ok }) => ok),
			rows,
		};
	} finally {
		await stage.close();
	}
}

async function play(stage: Stage): Promise<void> {
	await stage.stop("sender");
	const ids = [];
	for (let index = 0; index < messageCount; index++) ids.push(await stage.send(numberOf(index), text(index)));
	for (const name of ["mongodb", "vault", "redis", "temporal"] as const) await stage.copyOut(name, "old");
	// Vault's death may have cost a process its token; each starts anew with fresh credentials.
	await stage.stopOwn();
	await stage.startOwn();
	await waitForFinal(stage, ids);
	stage.say("purging");
	await waitFor("the end of every key", () =>
		stage.asAdmin(async ({ stored, clock }) => {
			const cohorts = await stored.cohorts.findByTenant(stage.tenantId);
			const left = cohorts.filter(({ state }) => state !== "destroyed").map(({ _id }) => _id);
			await stored.cohorts.endNow(left, clock());
			return left.length === 0;
		}),
	);
	await stage.stopOwn();
	for (const name of ["mongodb", "vault", "redis", "temporal"] as const) await stage.copyOut(name, "new");
}

/** Reads all it can: what the database shows, and what of `known` is still somewhere in its files. */
async function attack(stage: Stage, mongodb: Age, vault: Age, known: readonly Loot[]) {
	await stage.putBack("mongodb", mongodb);
	await stage.putBack("vault", vault);
	const loot = await lootDatabase(stage);
	const remains = remainsOf(stage, known);
	const vaultState = stage.stack.state().servers.vault;
	const { key } = JSON.parse(readFileSync(join(vaultState.dataDir as string, "root.json"), "utf8")) as { key: string };
	const token = await waitFor("a root token", () => makeRootToken({ address: vaultState.url, keys: [key] }));
	const connection = openVault({ address: vaultState.url, token: () => token });
	try {
		const keys = createCohortKeys({ vault: connection as never });
		const count = async (items: readonly Loot[]) => {
			const opened = await Promise.all(items.map((item) => read(keys, item)));
			return opened.filter((plain) => plain !== undefined).length;
		};
		return { loot, read: await count(loot), remains: remains.length, readFromRemains: await count(remains) };
	} finally {
		connection.close();
	}
}

function describe(mongodb: Age, vault: Age, found: Awaited<ReturnType<typeof attack>>): Row[] {
	const what = `database ${mongodb}, Vault ${vault}`;
	const rows = [toRow(`${what}: read`, `${found.read} of ${found.loot.length}`, `0 of ${found.loot.length}`)];
	// What a database has not overwritten yet is a dated residue, as each certificate says; only with an old key it opens.
	const residue = `${found.remains} object(s) in remains, ${found.readFromRemains} of them read`;
	return mongodb === "new"
		? [
				...rows,
				{
					what: `${what}: remains`,
					found: residue,
					wanted: "0 of them read",
					ok: vault === "old" || found.readFromRemains === 0,
				},
			]
		: rows;
}

async function lootDatabase(stage: Stage): Promise<Loot[]> {
	const url = stage.stack.state().servers.mongodb.url;
	const connection = await waitFor("the database", () => connectMongo({ url, database: "lethe" }));
	const store = createStore(connection, { clock: Date.now, randomToken: () => "" });
	try {
		const messages = await store.messages.page(stage.tenantId, 100);
		return (
			await Promise.all(messages.flatMap((message) => sealedObjects.map((name) => lootObject(store, message, name))))
		).flat();
	} finally {
		await store.close();
	}
}

async function lootObject(
	store: ReturnType<typeof createStore>,
	message: Message,
	object: (typeof sealedObjects)[number],
): Promise<Loot[]> {
	const sealed = message[object];
	if (!sealed) return [];
	const { cohortId, wrappingKeyId } = sealed;
	const wrapped = (await store.wrappingKeys.find(wrappingKeyId))?.wrapped ?? "";
	const parts = { wrappedKey: Buffer.from(sealed.wrappedKey), ciphertext: Buffer.from(sealed.ciphertext) };
	return [{ tenantId: message.tenantId, messageId: message._id, object, cohortId, wrappingKeyId, wrapped, ...parts }];
}

/** What of it is byte by byte still in the database's files. */
function remainsOf(stage: Stage, known: readonly Loot[]): Loot[] {
	const folder = stage.stack.state().servers.mongodb.dataDir as string;
	const files = filesIn(folder).map((path) => readFileSync(path));
	const isThere = (bytes: Buffer) => files.some((file) => file.includes(bytes));
	return known.filter(
		(item) => isThere(item.wrappedKey) && isThere(item.ciphertext) && isThere(Buffer.from(item.wrapped)),
	);
}

async function read(keys: ReturnType<typeof createCohortKeys>, item: Loot): Promise<string | undefined> {
	try {
		const key = createSecretKey(await keys.unwrapWrappingKey(item.cohortId, item.wrapped));
		const place = { tenantId: item.tenantId, messageId: item.messageId, object: item.object, field: "value" };
		return Buffer.from(open(place, { id: item.wrappingKeyId, key }, item)).toString();
	} catch {
		return undefined;
	}
}

/** Redis and Temporal never had any of it; nor has any raw file its text or number. */
function searchOthers(dir: string): Row[] {
	const marks = Array.from({ length: messageCount }, (_, index) => [text(index), numberOf(index).slice(1)]).flat();
	return (["redis", "temporal", "mongodb", "vault"] as const).flatMap((name) =>
		ages.map((age) => {
			const files = filesIn(join(dir, "copies", age, name)).map((path) => readFileSync(path));
			const hits = marks.filter((mark) => files.some((file) => file.includes(mark))).length;
			return toRow(
				`${name} ${age}: texts and numbers in its files`,
				`${hits} in ${files.length > 0 ? "all" : "no"} files`,
				"0 in all files",
			);
		}),
	);
}

function filesIn(folder: string): string[] {
	const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
	return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
